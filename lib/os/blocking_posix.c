/* SPDX-License-Identifier: MIT
 *
 * Waiting in the kernel, by a helper thread if there are limits.
 */
#include "config.h"

#include <errno.h>

#include "os/blocking.h"
#include "outcome.h"
#include "system/file.h"
#include "system/own_file.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/retry.h"

struct blocking_call {
    const struct blocking_lock *lock;
    int fd;
    const struct range *range;
    enum filelock_mode mode;
    struct identity id; /* of the file, when the wait began */
};

static int block(void *arg)
{
    const struct blocking_call *call = arg;
    int rc = call->lock->block(call->fd, call->range, call->mode);

    return rc == CONTENDED ? -EAGAIN : rc; /* no kernel returns CONTENDED if it was asked to wait */
}

/* Returns -ESTALE if the helper has another table of open files than the caller, or the descriptor was closed. */
static int block_in_helper(void *arg)
{
    const struct blocking_call *call = arg;

    return flk_own_file(call->fd, &call->id) != 0 ? -ESTALE : block(arg);
}

/* Returns -ESTALE if the descriptor was closed during the wait: the number may be that of another file. */
static int try(void *arg)
{
    const struct blocking_call *call = arg;

    if (flk_own_file(call->fd, &call->id) != 0)
        return -ESTALE;
    return call->lock->try(call->fd, call->range, call->mode);
}

/* Tries once more when the time is up: the helper may have got the lock, or it may have become free, just before. */
static int last_try(struct blocking_call *call)
{
    int rc = try(call);

    return rc == CONTENDED ? -ETIMEDOUT : rc;
}

static int wait_by_helper(struct blocking_call *call, const struct limits *limits)
{
    int rc = flk_file_identity(call->fd, &call->id);

    if (rc != 0)
        return rc;
    rc = flk_helper_call(block_in_helper, call, limits);
    if (rc == NO_MEANS || (rc == -ESTALE && flk_own_file(call->fd, &call->id) == 0))
        return flk_retry(try, call, limits);
    if (rc == -ETIMEDOUT)
        return last_try(call);
    /* If this descriptor has the lock, it gets the lock again at once.  If not, nothing is held. */
    if (rc == 0)
        rc = try(call);
    /* The helper may have got the lock before it was taken out of the kernel, or before the second lock failed. */
    if (rc != 0 && flk_own_file(call->fd, &call->id) == 0)
        (void) call->lock->unlock(call->fd, call->range);
    /* CONTENDED: the helper has locked another file, and would do so again. */
    return rc == CONTENDED ? flk_retry(try, call, limits) : rc;
}

int flk_block_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits)
{
    struct blocking_call call = { .lock = lock, .fd = fd, .range = range, .mode = mode };

    return flk_limits_none(limits) ? block(&call) : wait_by_helper(&call, limits);
}
