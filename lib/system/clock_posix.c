/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock of POSIX.
 */
#include "config.h"

#include <time.h>

#include "system/clock.h"

int64_t flk_now(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}
