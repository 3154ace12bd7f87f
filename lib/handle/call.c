/* SPDX-License-Identifier: MIT
 *
 * Common parts of the calls on a handle: noting the request, finding the limits, and keeping threads from being
 * cancelled.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "handle/call.h"
#include "handle/gate.h"
#include "handle/gate_state.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "system/probes.h"
#include "system/thread.h"
#include "wait/limits.h"

void flk_asked(struct filelock *lock, enum asked what)
{
    flk_mutex_lock(&lock->shelf->mutex);
    lock->request.what = what;
    flk_mutex_unlock(&lock->shelf->mutex);
}

void flk_asked_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    flk_mutex_lock(&lock->shelf->mutex);
    lock->request = (struct request) { ASKED_ACQUIRE, mode, timeout_ms };
    flk_mutex_unlock(&lock->shelf->mutex);
}

bool flk_valid_request(enum filelock_mode mode, int64_t timeout_ms)
{
    return (mode == FILELOCK_EXCLUSIVE || mode == FILELOCK_SHARED) && timeout_ms >= FILELOCK_TIMEOUT_DEFAULT;
}

int flk_check_request(const struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    if (lock == NULL || !flk_valid_request(mode, timeout_ms))
        return -EINVAL;
    return mode == FILELOCK_SHARED && (lock->target.kind->abilities & CAN_SHARE) == 0 ? -EINVAL : 0;
}

int flk_check_nest(const struct filelock *lock, enum filelock_mode mode)
{
    const struct kind *kind = lock->target.kind;

    if (kind->remaining != NULL && kind->remaining(lock->state) == 0)
        return -ESTALE;
    if (mode == FILELOCK_EXCLUSIVE && lock->mode == FILELOCK_SHARED)
        return -EDEADLK;
    return lock->depth < UINT_MAX - lock->unclaimed ? 0 : -EOVERFLOW;
}

int flk_nest(struct filelock *lock, enum filelock_mode mode)
{
    int rc = flk_check_nest(lock, mode);

    if (rc == 0)
        lock->depth++;
    return rc;
}

void flk_end_acquire(struct filelock *lock, int rc, enum filelock_mode mode)
{
    if (rc == 0) {
        lock->mode = mode;
        lock->depth = 1;
        flk_probe_acquired(lock, lock->target.path, mode);
    }
    flk_gate_end(lock, rc == 0 ? GATE_HELD : GATE_FREE);
}

struct limits flk_handle_limits(const struct filelock *lock, int64_t timeout_ms)
{
    return (struct limits) {
        .timeout_ms = timeout_ms == FILELOCK_TIMEOUT_DEFAULT ? lock->timeout_ms : timeout_ms,
        .cancel = lock->cancel,
        .interruptible = (lock->target.flags & FILELOCK_INTERRUPTIBLE) != 0,
    };
}

int flk_handle_call(struct filelock *lock, int (*call)(struct filelock *lock, void *arg), void *arg,
                    struct limits *limits)
{
    bool interruptible = limits->interruptible && limits->timeout_ms != FILELOCK_TRY;
    int cancel_state = flk_cancel_disable(), rc;
    struct signals before;

    if (interruptible) {
        flk_signals_hold(&before);
        /* cppcheck-suppress autoVariables; it is cleared below */
        limits->signals = &before;
    }
    rc = call(lock, arg);
    limits->signals = NULL;
    if (interruptible)
        flk_signals_let(&before);
    flk_cancel_restore(cancel_state);
    return rc;
}
