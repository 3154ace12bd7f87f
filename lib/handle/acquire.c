/* SPDX-License-Identifier: MIT
 *
 * Acquiring: first the thread's turn and the depth, then the kind.
 */
#include "config.h"

#include <errno.h>

#include "handle/announce.h"
#include "handle/attempt.h"
#include "handle/call.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/look.h"
#include "handle/registry.h"
#include "handle/shelf.h"
#include "kind.h"
#include "outcome.h"
#include "system/lifetime.h"
#include "system/probes.h"
#include "system/thread.h"
#include "wait/limits.h"

/* Caller holds the handle's mutex, which is let go meanwhile.  Returns as flk_registry_deadlock() does. */
static bool would_deadlock(struct filelock *lock, enum filelock_mode mode)
{
    bool answer;

    flk_mutex_unlock(&lock->shelf->mutex);
    answer = flk_registry_deadlock(lock, mode);
    flk_mutex_lock(&lock->shelf->mutex);
    return answer;
}

/* A call of filelock_acquire(). */
struct acquire {
    enum filelock_mode mode;
    bool announced; /* on_wait was called */
    struct limits limits;
};

/*
 * Caller holds the handle's mutex, which is let go meanwhile.  Calls on_wait, once in an acquire.  The time of that
 * call counts for the timeout.  True if on_wait was called now.  *same: false if this is a child that on_wait has
 * forked, and has no turn.
 */
static bool announce_once(struct filelock *lock, struct acquire *acquire, bool *same)
{
    bool first = !acquire->announced && lock->on_wait != NULL;

    *same = true;
    if (!acquire->announced)
        flk_probe_wait(lock, lock->target.path, acquire->mode);
    acquire->announced = true;
    if (first) {
        flk_limits_start(&acquire->limits);
        *same = flk_announce_wait(lock);
    }
    return first;
}

/*
 * Caller holds the handle's mutex.  Takes the turn, or goes one level deeper.  Returns 0 or an error.
 *   *nested true   the caller had the lock already, which is one level deeper now; the turn is not taken
 *   *nested false  the turn is taken
 */
static int take_turn(struct filelock *lock, struct acquire *acquire, bool *nested)
{
    struct limits *limits = &acquire->limits;
    bool forever = limits->timeout_ms == FILELOCK_FOREVER, same;
    enum outcome rc;

    if (flk_is_announcing(lock))
        return -EBUSY;
    for (;;) {
        *nested = flk_is_mine(lock) || flk_gate_may_join(lock);
        if (*nested)
            return flk_nest(lock, acquire->mode);
        if (flk_attempt_is_own(lock))
            return -EALREADY;
        if (flk_gate_try(lock))
            return 0;
        if (limits->timeout_ms == FILELOCK_TRY)
            return -ETIMEDOUT;
        if (forever && would_deadlock(lock, acquire->mode))
            return -EDEADLK;
        if (announce_once(lock, acquire, &same))
            continue;
        rc = flk_gate_wait(lock, limits);
        if (rc != AGAIN)
            return rc;
    }
}

/*
 * Caller has the turn.  Acquires the lock of the kind.  If on_wait is still to be called, a marker that looks held is
 * read first: on_wait is called only if it is held.  Also returns AGAIN: the caller has no turn any more.
 */
static int acquire_kind(struct filelock *lock, struct acquire *acquire)
{
    const struct kind *kind = lock->target.kind;
    struct limits *limits = &acquire->limits;
    bool glance = limits->timeout_ms != FILELOCK_TRY && (acquire->announced || lock->on_wait == NULL);
    int rc = kind->try(&lock->target, lock->state, acquire->mode, glance);
    bool same;

    if (rc != CONTENDED && rc != UNREACHED)
        return rc;
    if (limits->timeout_ms == FILELOCK_TRY)
        return rc == CONTENDED ? -ETIMEDOUT : -EHOSTUNREACH;
    if (limits->timeout_ms == FILELOCK_FOREVER && flk_registry_deadlock(lock, acquire->mode))
        return -EDEADLK;
    flk_mutex_lock(&lock->shelf->mutex);
    (void) announce_once(lock, acquire, &same);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (!same)
        return AGAIN;
    flk_limits_start(limits);
    return flk_look_within(lock, acquire->mode, limits);
}

static int acquire_lock(struct filelock *lock, void *arg)
{
    struct acquire *acquire = arg;
    bool nested;
    int rc;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request = (struct request) { ASKED_ACQUIRE, acquire->mode, acquire->limits.timeout_ms };
    do {
        rc = take_turn(lock, acquire, &nested);
        if (rc != 0 || nested)
            break;
        flk_mutex_unlock(&lock->shelf->mutex);
        rc = acquire_kind(lock, acquire);
        flk_mutex_lock(&lock->shelf->mutex);
        if (rc != AGAIN)
            flk_end_acquire(lock, rc, acquire->mode);
    } while (rc == AGAIN);
    flk_mutex_unlock(&lock->shelf->mutex);
    return rc;
}

int filelock_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    struct acquire acquire = { .mode = mode };
    int rc = flk_check_request(lock, mode, timeout_ms);

    if (rc != 0) {
        if (lock != NULL)
            flk_asked_acquire(lock, mode, timeout_ms);
        return rc;
    }
    acquire.limits = flk_handle_limits(lock, timeout_ms);
    flk_thread_watch_end();
    return flk_handle_call(lock, acquire_lock, &acquire, &acquire.limits);
}
