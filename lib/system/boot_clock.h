/* SPDX-License-Identifier: MIT
 *
 * A clock that counts the time in which the system is suspended.
 */
#ifndef FLK_BOOT_CLOCK_H
#define FLK_BOOT_CLOCK_H

#include <stdint.h>

/* Returns the nanoseconds on a monotonic clock that goes on while the system is suspended. */
int64_t flk_boot_now(void);

#endif
