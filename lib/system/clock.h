/* SPDX-License-Identifier: MIT
 *
 * The monotonic clock.
 */
#ifndef FLK_CLOCK_H
#define FLK_CLOCK_H

#include <stdint.h>

/* Returns the nanoseconds on a monotonic clock. */
int64_t flk_now(void);

#endif
