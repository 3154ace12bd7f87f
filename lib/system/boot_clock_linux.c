/* SPDX-License-Identifier: MIT
 *
 * The clock that goes on while the system is suspended: CLOCK_BOOTTIME.
 */
#include "config.h"

#include <time.h>

#include "system/boot_clock.h"
#include "system/clock.h"

/* The kernel may lack the clock: Linux before 2.6.39. */
int64_t flk_boot_now(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return flk_now();
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}
