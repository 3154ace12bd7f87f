/* SPDX-License-Identifier: MIT
 *
 * Acquire and release: whose turn it is, how deep, and then the kind.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "handle.h"
#include "registry.h"

/* ---- Acquire -------------------------------------------------------------------------------- */

static int check_arguments(const struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    if (lock == NULL || (mode != FILELOCK_EXCLUSIVE && mode != FILELOCK_SHARED))
        return -EINVAL;
    if (mode == FILELOCK_SHARED && (lock->target.kind->abilities & CAN_SHARE) == 0)
        return -EINVAL;
    return timeout_ms >= FILELOCK_TIMEOUT_DEFAULT ? 0 : -EINVAL;
}

/* One level deeper. */
static int nest(struct filelock *lock, enum filelock_mode mode)
{
    if (mode == FILELOCK_EXCLUSIVE && lock->mode == FILELOCK_SHARED)
        return -EDEADLK;
    if (lock->depth == UINT_MAX)
        return -EOVERFLOW;
    lock->depth++;
    return 0;
}

/* With the mutex, which is let go and taken again. */
static bool would_deadlock(struct filelock *lock, enum filelock_mode mode)
{
    bool answer;

    flk_mutex_unlock(&lock->mutex);
    answer = flk_registry_deadlock(lock, mode);
    flk_mutex_lock(&lock->mutex);
    return answer;
}

/* With the mutex: 0, the turn is ours; NESTED, the lock is ours already; or an error. */
#define NESTED 1
static int begin(struct filelock *lock, enum filelock_mode mode, struct limits *limits)
{
    bool forever = limits->timeout_ms == FILELOCK_FOREVER;
    int rc;

    for (;;) {
        if (flk_is_mine(lock)) {
            rc = nest(lock, mode);
            return rc == 0 ? NESTED : rc;
        }
        if (flk_turn_try(lock))
            return 0;
        if (limits->timeout_ms == FILELOCK_TRY)
            return -ETIMEDOUT;
        if (forever && would_deadlock(lock, mode))
            return -EDEADLK;
        rc = flk_turn_wait(lock, limits);
        if (rc <= 0)
            return rc;
    }
}

/* The turn is ours. */
static int lock_it(struct filelock *lock, enum filelock_mode mode, struct limits *limits)
{
    const struct kind *kind = lock->target.kind;
    int rc = kind->try(&lock->target, lock->state, mode, limits->timeout_ms != FILELOCK_TRY);

    if (rc != FLK_CONTENDED)
        return rc;
    if (limits->timeout_ms == FILELOCK_TRY)
        return -ETIMEDOUT;
    if (limits->timeout_ms == FILELOCK_FOREVER && flk_registry_deadlock(lock, mode))
        return -EDEADLK;
    flk_limits_start(limits);
    return kind->wait(&lock->target, lock->state, mode, limits);
}

static int acquire(struct filelock *lock, enum filelock_mode mode, struct limits *limits)
{
    int rc;

    flk_mutex_lock(&lock->mutex);
    lock->request = (struct request) { ASKED_ACQUIRE, mode, limits->timeout_ms };
    rc = begin(lock, mode, limits);
    if (rc == 0) {
        flk_mutex_unlock(&lock->mutex);
        rc = lock_it(lock, mode, limits);
        flk_mutex_lock(&lock->mutex);
        if (rc == 0) {
            lock->mode = mode;
            lock->depth = 1;
        }
        flk_turn_end(lock, rc == 0 ? TURN_HELD : TURN_FREE);
    }
    flk_mutex_unlock(&lock->mutex);
    return rc == NESTED ? 0 : rc;
}

/* Of a call that gets no further: filelock_describe() is to speak of it all the same. */
static void note_request(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    flk_mutex_lock(&lock->mutex);
    lock->request = (struct request) { ASKED_ACQUIRE, mode, timeout_ms };
    flk_mutex_unlock(&lock->mutex);
}

int filelock_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    struct limits limits = { 0 };
    int rc = check_arguments(lock, mode, timeout_ms), shield;

    if (rc != 0) {
        if (lock != NULL)
            note_request(lock, mode, timeout_ms);
        return rc;
    }
    limits.timeout_ms = timeout_ms == FILELOCK_TIMEOUT_DEFAULT ? lock->timeout_ms : timeout_ms;
    limits.cancel = lock->cancel;
    limits.interruptible = (lock->target.flags & FILELOCK_INTERRUPTIBLE) != 0;
    flk_thread_watch_end();
    shield = flk_thread_shield();
    rc = acquire(lock, mode, &limits);
    flk_thread_unshield(shield);
    return rc;
}

/* ---- Release -------------------------------------------------------------------------------- */

static int let_go(struct filelock *lock)
{
    return lock->target.kind->release(&lock->target, lock->state, lock->mode);
}

/* The end of a BUSY turn that was to release. */
static void let_gone(struct filelock *lock, bool released)
{
    flk_mutex_lock(&lock->mutex);
    if (released)
        lock->depth = 0;
    flk_turn_end(lock, released ? TURN_FREE : TURN_HELD);
    flk_mutex_unlock(&lock->mutex);
}

/* Closing what cannot be unlocked gives it up as well. */
void flk_abandon(struct filelock *lock)
{
    if (let_go(lock) != 0)
        lock->target.kind->close(&lock->target, lock->state);
    let_gone(lock, true);
}

static int release_levels(struct filelock *lock, unsigned levels)
{
    bool mine, last;
    int rc;

    flk_mutex_lock(&lock->mutex);
    lock->request.what = ASKED_RELEASE;
    mine = flk_is_mine(lock);
    last = mine && lock->depth <= levels;
    if (last)
        lock->turns.turn = TURN_BUSY;
    else if (mine)
        lock->depth -= levels;
    flk_mutex_unlock(&lock->mutex);
    if (!last)
        return mine ? 0 : -EPERM;
    rc = let_go(lock);
    let_gone(lock, rc == 0);
    return rc;
}

static int release(struct filelock *lock, unsigned levels)
{
    int rc, shield;

    if (lock == NULL)
        return -EINVAL;
    shield = flk_thread_shield();
    rc = release_levels(lock, levels);
    flk_thread_unshield(shield);
    return rc;
}

int filelock_release(struct filelock *lock)
{
    return release(lock, 1);
}

int filelock_release_all(struct filelock *lock)
{
    return release(lock, UINT_MAX);
}
