/* SPDX-License-Identifier: MIT
 *
 * Acquiring without blocking.
 */
#include "config.h"

#include <errno.h>

#include "handle/announce.h"
#include "handle/attempt.h"
#include "handle/call.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "kind.h"
#include "outcome.h"
#include "system/lifetime.h"
#include "system/probes.h"
#include "system/thread.h"
#include "wait/limits.h"

/* A call of filelock_acquire_begin(). */
struct beginning {
    enum filelock_mode mode;
    bool has_turn;
    struct limits limits;
};

/*
 * True if an attempt is to make the first try: that would take long here, or a glance tells that it is in vain.  If
 * on_wait is to be called, the lock is tried in any case: on_wait is called only if it is held.
 */
static bool leaves_first_try(const struct filelock *lock, bool waits)
{
    const struct kind *kind = lock->target.kind;

    if (!waits || lock->on_wait != NULL)
        return false;
    return (kind->abilities & ANSWERS_LATE) != 0 || (kind->looks_held != NULL && kind->looks_held(&lock->target));
}

/* Caller has the turn.  Tries to take the lock.  Returns CONTENDED if an attempt has to wait, else 0 or an error. */
static enum outcome try_kind(struct filelock *lock, const struct beginning *beginning)
{
    const struct kind *kind = lock->target.kind;
    bool waits = beginning->limits.timeout_ms != FILELOCK_TRY, glance = waits && lock->on_wait == NULL;
    int rc;

    if (leaves_first_try(lock, waits))
        return CONTENDED;
    rc = kind->try(&lock->target, lock->state, beginning->mode, glance);
    if (waits)
        return rc == UNREACHED ? CONTENDED : rc;
    return rc == CONTENDED ? -ETIMEDOUT : rc == UNREACHED ? -EHOSTUNREACH : rc;
}

/*
 * Caller holds the handle's mutex, which is let go meanwhile.  Leaves an attempt under way.  The time that on_wait
 * takes counts for the timeout.
 */
static int leave_under_way(struct filelock *lock, struct beginning *beginning)
{
    flk_probe_wait(lock, lock->target.path, beginning->mode);
    flk_limits_start(&beginning->limits);
    if (!flk_announce_wait(lock))
        beginning->has_turn = false; /* it was the parent's */
    return flk_attempt_start(lock, beginning->mode, &beginning->limits, beginning->has_turn);
}

/* Caller holds the handle's mutex, which is let go meanwhile, and has the turn. */
static int begin_with_turn(struct filelock *lock, struct beginning *beginning)
{
    int rc;

    beginning->has_turn = true;
    flk_mutex_unlock(&lock->shelf->mutex);
    rc = try_kind(lock, beginning);
    flk_mutex_lock(&lock->shelf->mutex);
    if (rc == CONTENDED)
        rc = leave_under_way(lock, beginning);
    if (rc != -EINPROGRESS && beginning->has_turn)
        flk_end_acquire(lock, rc, beginning->mode);
    return rc;
}

/* Caller holds the handle's mutex, which is let go meanwhile. */
static int begin_acquire(struct filelock *lock, struct beginning *beginning)
{
    if (flk_gate_try(lock))
        return begin_with_turn(lock, beginning);
    if (beginning->limits.timeout_ms == FILELOCK_TRY)
        return -ETIMEDOUT;
    return leave_under_way(lock, beginning);
}

static int begin(struct filelock *lock, struct beginning *beginning)
{
    int rc;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request = (struct request) { ASKED_ACQUIRE, beginning->mode, beginning->limits.timeout_ms };
    if (flk_is_announcing(lock)) {
        rc = -EBUSY;
    } else if (flk_is_mine(lock)) {
        rc = flk_nest(lock, beginning->mode);
    } else if (lock->beginning || flk_attempt_is_under_way(lock)) {
        rc = -EALREADY;
    } else {
        lock->beginning = true;
        rc = begin_acquire(lock, beginning);
        lock->beginning = false;
    }
    flk_mutex_unlock(&lock->shelf->mutex);
    return rc;
}

int filelock_acquire_begin(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    struct beginning beginning = { .mode = mode };
    int rc = flk_check_request(lock, mode, timeout_ms), cancel_state;

    if (rc != 0) {
        if (lock != NULL)
            flk_asked_acquire(lock, mode, timeout_ms);
        return rc;
    }
    beginning.limits = flk_handle_limits(lock, timeout_ms);
    flk_thread_watch_end();
    cancel_state = flk_cancel_disable();
    rc = begin(lock, &beginning);
    flk_cancel_restore(cancel_state);
    return rc;
}

filelock_waitable filelock_acquire_waitable(const struct filelock *lock)
{
    filelock_waitable waitable;

    if (lock == NULL)
        return FILELOCK_NO_WAITABLE;
    flk_mutex_lock(&lock->shelf->mutex);
    waitable = flk_attempt_waitable(lock);
    flk_mutex_unlock(&lock->shelf->mutex);
    return waitable;
}

/* Ends an attempt by this function, in which the thread is not cancelled. */
static int end_attempt(struct filelock *lock, int (*end)(struct filelock *lock))
{
    int rc, cancel_state;

    if (lock == NULL)
        return -EINVAL;
    flk_thread_watch_end();
    cancel_state = flk_cancel_disable();
    rc = end(lock);
    flk_cancel_restore(cancel_state);
    return rc;
}

int filelock_acquire_finish(struct filelock *lock)
{
    return end_attempt(lock, flk_attempt_finish);
}

int filelock_acquire_abort(struct filelock *lock)
{
    return end_attempt(lock, flk_attempt_abort);
}
