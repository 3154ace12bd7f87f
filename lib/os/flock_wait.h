/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits for flock(2).  Not every system can take a thread out of that call.
 */
#ifndef FLK_POSIX_FLOCK_WAIT_H
#define FLK_POSIX_FLOCK_WAIT_H

#include "os/blocking.h"

/* Waits and returns as flk_block_within() does. */
int flk_flock_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits);

#endif
