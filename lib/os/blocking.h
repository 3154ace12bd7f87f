/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits for locks for which the system itself waits without a limit.
 */
#ifndef FLK_BLOCKING_H
#define FLK_BLOCKING_H

#include "os/backend.h"
#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

/*
 * Locks, and blocks in the kernel until that is done.  Returns 0 or -errno.  The thread may be cancelled asynchronously
 * meanwhile.
 */
typedef int blocking_function(int fd, const struct range *range, enum filelock_mode mode);

/* Waits and returns as wait of struct backend does. */
enum outcome flk_block_within(const struct lock_request *request, blocking_function *lock, const struct limits *limits);

/*
 * Locks as block of struct backend does, in any thread.  Returns -ESTALE if the descriptor is another file to the calling
 * thread.
 */
int flk_block_here(const struct lock_request *request, blocking_function *lock);

#endif
