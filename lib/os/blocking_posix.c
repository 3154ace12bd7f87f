/* SPDX-License-Identifier: MIT
 *
 * Waiting in the kernel, by a helper thread if there are limits.
 */
#include "config.h"

#include <errno.h>

#include "os/backend.h"
#include "os/blocking.h"
#include "outcome.h"
#include "system/own_file.h"
#include "wait/helper.h"
#include "wait/limits.h"

struct blocking_call {
    const struct lock_request *request;
    blocking_function *lock;
};

static int block(const struct lock_request *request, blocking_function *lock)
{
    int rc = lock(request->fd, &request->range, request->mode);

    if (flk_is_limit(rc)) /* an error of the file system's own */
        return -EIO;
    return rc > 0 ? -EAGAIN : rc; /* no kernel returns CONTENDED if it was asked to wait */
}

/* A helper may have another table of open files than the caller, and the program may have closed the descriptor. */
int flk_block_here(const struct lock_request *request, blocking_function *lock)
{
    return flk_own_file(request->fd, &request->id) != 0 ? -ESTALE : block(request, lock);
}

static int block_in_helper(void *arg)
{
    const struct blocking_call *call = arg;

    return flk_block_here(call->request, call->lock);
}

enum outcome flk_block_within(const struct lock_request *request, blocking_function *lock, const struct limits *limits)
{
    struct blocking_call call = { request, lock };

    return flk_limits_none(limits) ? flk_block_here(request, lock)
                                   : (int) flk_helper_call(block_in_helper, &call, limits);
}
