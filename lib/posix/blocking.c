/* SPDX-License-Identifier: MIT
 *
 * Waiting in the kernel, by a helper where there are limits.
 */
#include "config.h"

#include <errno.h>

#include "posix/blocking.h"
#include "posix/helper.h"
#include "retry.h"

struct blocking_call {
    const struct blocking_lock *lock;
    int fd;
    const struct range *range;
    enum filelock_mode mode;
};

static int block(void *arg)
{
    const struct blocking_call *call = arg;
    int rc = call->lock->block(call->fd, call->range, call->mode);

    return rc == FLK_CONTENDED ? -EAGAIN : rc; /* which no kernel says that was asked to wait */
}

static int try(void *arg)
{
    const struct blocking_call *call = arg;

    return call->lock->try(call->fd, call->range, call->mode);
}

/* When the time is up: the lock may have been got, or have become free, at the last moment. */
static int last_try(struct blocking_call *call)
{
    int rc = try(call);

    return rc == FLK_CONTENDED ? -ETIMEDOUT : rc;
}

int flk_block_within(const struct blocking_lock *lock, int fd, const struct range *range, enum filelock_mode mode,
                     const struct limits *limits)
{
    struct blocking_call call = { lock, fd, range, mode };
    int rc;

    if (flk_limits_none(limits))
        return block(&call);
    rc = flk_helper_call(block, &call, limits);
    if (rc == FLK_NO_HELPER)
        return flk_retry(try, &call, limits);
    if (rc == -ETIMEDOUT)
        return last_try(&call);
    /* A helper that was taken out of the kernel may have got the lock before. */
    if (rc < 0)
        (void) lock->unlock(fd, range);
    return rc;
}
