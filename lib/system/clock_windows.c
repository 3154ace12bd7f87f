/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock of Windows.
 */
#include "config.h"

#include <windows.h>

#include "system/clock.h"

#define NS_PER_S 1000000000

int64_t flk_now(void)
{
    LARGE_INTEGER count, frequency;

    (void) QueryPerformanceFrequency(&frequency);
    (void) QueryPerformanceCounter(&count);
    return count.QuadPart / frequency.QuadPart * NS_PER_S +
           count.QuadPart % frequency.QuadPart * NS_PER_S / frequency.QuadPart;
}
