/* SPDX-License-Identifier: MIT
 *
 * Releasing: first the thread's turn and the depth, then the kind.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "handle/announce.h"
#include "handle/gate.h"
#include "handle/gate_state.h"
#include "handle/handle.h"
#include "handle/release.h"
#include "handle/shelf.h"
#include "outcome.h"
#include "system/probes.h"
#include "system/thread.h"

static int kind_release(struct filelock *lock)
{
    return lock->target.kind->release(&lock->target, lock->state, lock->mode);
}

/* Takes the mutex.  Ends a BUSY turn that was taken to release the lock. */
static void finish_release(struct filelock *lock, bool released)
{
    flk_mutex_lock(&lock->shelf->mutex);
    if (released)
        lock->depth = 0;
    flk_gate_end(lock, released ? GATE_FREE : GATE_HELD);
    flk_mutex_unlock(&lock->shelf->mutex);
}

void flk_abandon(struct filelock *lock)
{
    if (kind_release(lock) != 0)
        lock->target.kind->close(&lock->target, lock->state);
    finish_release(lock, true);
}

void flk_end_hold(struct filelock *lock)
{
    flk_probe_released(lock, lock->target.path);
    flk_abandon(lock);
}

/*
 * Caller holds the handle's mutex.  all: all levels that threads hold are to be released, which a conversion goes by.
 * Returns 0 if the calling thread may release, -EBUSY or -EPERM.
 */
static int may_release(const struct filelock *lock, bool all)
{
    if (flk_is_announcing(lock) || (all && lock->converting))
        return -EBUSY;
    return flk_is_mine(lock) ? 0 : -EPERM;
}

static int release_levels(struct filelock *lock, unsigned levels)
{
    bool all, last;
    int rc;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request.what = ASKED_RELEASE;
    all = flk_is_mine(lock) && lock->depth <= levels;
    last = all && lock->unclaimed == 0;
    rc = may_release(lock, all);
    if (rc == 0 && last)
        flk_gate_reenter(lock);
    else if (rc == 0)
        lock->depth -= levels < lock->depth ? levels : lock->depth;
    flk_mutex_unlock(&lock->shelf->mutex);
    if (rc != 0 || !last)
        return rc;
    rc = kind_release(lock);
    if (rc == LOST)
        flk_probe_lost(lock, lock->target.path);
    if (rc == 0 || rc == LOST)
        flk_probe_released(lock, lock->target.path);
    finish_release(lock, rc == 0 || rc == LOST);
    return rc == LOST ? -ESTALE : rc;
}

void flk_give_up(struct filelock *lock)
{
    int cancel_state = flk_cancel_disable();
    bool last;

    flk_mutex_lock(&lock->shelf->mutex);
    last = flk_is_mine(lock) && lock->depth == 1 && lock->unclaimed == 0 && may_release(lock, true) == 0;
    if (last)
        flk_gate_reenter(lock);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (last)
        flk_end_hold(lock);
    flk_cancel_restore(cancel_state);
}

static int release(struct filelock *lock, unsigned levels)
{
    int rc, cancel_state;

    if (lock == NULL)
        return -EINVAL;
    cancel_state = flk_cancel_disable();
    rc = release_levels(lock, levels);
    flk_cancel_restore(cancel_state);
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
