/* SPDX-License-Identifier: MIT
 *
 * Locks that the system waits for without knowing a limit, waited for within limits.
 */
#ifndef FLK_POSIX_BLOCKING_H
#define FLK_POSIX_BLOCKING_H

#include "kind.h"

struct blocking_lock {
    int (*try)(int fd, const struct range *range, enum filelock_mode mode);

    /* Blocks in the kernel; the thread may be cancelled asynchronously in it. */
    int (*block)(int fd, const struct range *range, enum filelock_mode mode);

    int (*unlock)(int fd, const struct range *range);
};

/* As wait of struct backend. */
int flk_block_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits);

#endif
