/* SPDX-License-Identifier: MIT
 *
 * Changing the mode of a lock that is held.
 */
#include "config.h"

#include <errno.h>

#include "handle/announce.h"
#include "handle/call.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "kind.h"
#include "system/thread.h"
#include "wait/limits.h"

/* A call of filelock_convert(). */
struct conversion {
    enum filelock_mode mode;
    struct limits limits;
};

static unsigned ability_for(enum filelock_mode mode)
{
    return mode == FILELOCK_SHARED ? CAN_CONVERT_DOWN : CAN_CONVERT_UP;
}

/*
 * Caller holds the handle's mutex.  Begins to convert.  Returns 0 or an error.
 *   *done true   the lock is held in this mode already
 *   *done false  lock->converting is set if 0 is returned
 */
static int begin(struct filelock *lock, const struct conversion *conversion, bool *done)
{
    bool up = conversion->mode == FILELOCK_EXCLUSIVE;

    if (flk_is_announcing(lock))
        return -EBUSY;
    if (!flk_is_mine(lock))
        return -EPERM;
    *done = lock->mode == conversion->mode;
    if (*done)
        return 0;
    if ((lock->target.kind->abilities & ability_for(conversion->mode)) == 0)
        return -ENOTSUP;
    if (up && conversion->limits.timeout_ms == FILELOCK_FOREVER)
        return -EINVAL;
    if (lock->converting || (!up && lock->depth + lock->unclaimed > 1))
        return -EBUSY;
    lock->converting = true;
    if (!up)
        lock->mode = FILELOCK_SHARED; /* a level that is added meanwhile may not rely on more */
    return 0;
}

/* Converts while the turn stays HELD: a conversion that fails changes nothing. */
static int convert(struct filelock *lock, void *arg)
{
    struct conversion *conversion = arg;
    bool done = false;
    int rc;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request = (struct request) { ASKED_CONVERT, conversion->mode, conversion->limits.timeout_ms };
    rc = begin(lock, conversion, &done);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (rc != 0 || done)
        return rc;
    flk_limits_start(&conversion->limits);
    rc = lock->target.kind->convert(&lock->target, lock->state, conversion->mode, &conversion->limits);
    flk_mutex_lock(&lock->shelf->mutex);
    if (rc == 0)
        lock->mode = conversion->mode;
    else if (conversion->mode == FILELOCK_SHARED)
        lock->mode = FILELOCK_EXCLUSIVE;
    lock->converting = false;
    flk_mutex_unlock(&lock->shelf->mutex);
    return rc;
}

int filelock_convert(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    struct conversion conversion = { .mode = mode };

    if (lock == NULL || !flk_valid_request(mode, timeout_ms))
        return -EINVAL;
    conversion.limits = flk_handle_limits(lock, timeout_ms);
    return flk_handle_call(lock, convert, &conversion, &conversion.limits);
}
