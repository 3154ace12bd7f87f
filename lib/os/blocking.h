/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits for locks for which the system itself waits without a limit.
 */
#ifndef FLK_POSIX_BLOCKING_H
#define FLK_POSIX_BLOCKING_H

#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

struct blocking_lock {
    enum outcome (*try)(int fd, const struct range *range, enum filelock_mode mode);

    /* Blocks in the kernel until the lock is taken.  The thread may be cancelled asynchronously meanwhile. */
    enum outcome (*block)(int fd, const struct range *range, enum filelock_mode mode);

    int (*unlock)(int fd, const struct range *range);
};

/* Waits and returns as wait of struct backend does. */
int flk_block_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits);

#endif
