/* SPDX-License-Identifier: MIT
 *
 * Waiting for flock(2) where a thread that is cancelled leaves the call at once.
 */
#include "config.h"

#include "os/blocking.h"
#include "os/flock_wait.h"

int flk_flock_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits)
{
    return flk_block_within(lock, fd, range, mode, limits);
}
