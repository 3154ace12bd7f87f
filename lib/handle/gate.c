/* SPDX-License-Identifier: MIT
 *
 * Turns of threads on a handle.
 */
#include "config.h"

#include "handle/gate.h"
#include "handle/gate_state.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "outcome.h"
#include "system/thread.h"
#include "wait/limits.h"
#include "wait/wakeup.h"

/* A thread that waits, on its stack. */
struct sleeper {
    struct waiter waiter; /* the first member */
    struct wakeup wakeup;
};

bool flk_any_thread(const struct filelock *lock)
{
    return (lock->target.flags & FILELOCK_ANY_THREAD) != 0;
}

bool flk_is_mine(const struct filelock *lock)
{
    return lock->gate.state == GATE_HELD && lock->depth > 0 &&
           (flk_any_thread(lock) || flk_thread_equal(lock->gate.owner, flk_thread_self()));
}

bool flk_gate_try(struct filelock *lock)
{
    struct gate *gate = &lock->gate;

    if (gate->state != GATE_FREE)
        return false;
    gate->state = GATE_BUSY;
    gate->owner = flk_thread_self();
    flk_shelf_put(lock);
    return true;
}

void flk_gate_enqueue(struct filelock *lock, struct waiter *waiter)
{
    struct gate *gate = &lock->gate;

    waiter->next = NULL;
    if (gate->first == NULL)
        gate->first = waiter;
    else
        gate->last->next = waiter;
    gate->last = waiter;
}

void flk_gate_dequeue(struct filelock *lock, const struct waiter *waiter)
{
    struct gate *gate = &lock->gate;
    struct waiter **link = &gate->first, *before = NULL;

    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (gate->last == waiter)
        gate->last = before;
}

bool flk_gate_may_join(const struct filelock *lock)
{
    return lock->gate.state == GATE_HELD && flk_any_thread(lock);
}

/* Caller holds the mutex.  A waiter needs it to leave the queue, so the waiter is still there. */
static void wake(struct waiter *waiter)
{
    struct waker waker = flk_wakeup_waker(&((struct sleeper *) (void *) waiter)->wakeup);

    flk_wake(&waker);
}

enum outcome flk_gate_wait(struct filelock *lock, struct limits *limits)
{
    struct sleeper me = { .waiter = { .thread = flk_thread_self(), .tell = wake } };
    int rc = 0;

    /* The guard, which the wake-up needs, is never taken after a handle's mutex. */
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_limits_start(limits);
    (void) flk_wakeup_open(&me.wakeup, limits);
    flk_mutex_lock(&lock->shelf->mutex);
    me.waiter.granted = flk_gate_try(lock);
    if (!me.waiter.granted) {
        flk_gate_enqueue(lock, &me.waiter);
        while (rc == 0 && !me.waiter.granted && !flk_gate_may_join(lock)) {
            flk_mutex_unlock(&lock->shelf->mutex);
            rc = flk_wakeup_wait(&me.wakeup, limits);
            flk_mutex_lock(&lock->shelf->mutex);
        }
        if (!me.waiter.granted)
            flk_gate_dequeue(lock, &me.waiter);
    }
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_wakeup_close(&me.wakeup);
    flk_mutex_lock(&lock->shelf->mutex);
    if (me.waiter.granted)
        return 0;
    return rc < 0 ? rc : AGAIN;
}

/* Gives a FREE turn to the first waiter in the queue.  Wakes all waiters for a held lock that belongs to no thread. */
void flk_gate_end(struct filelock *lock, enum gate_state state)
{
    struct gate *gate = &lock->gate;
    struct waiter *waiter = gate->first;

    gate->state = state;
    if (state == GATE_FREE && waiter != NULL) {
        flk_gate_dequeue(lock, waiter);
        gate->state = GATE_BUSY;
        gate->owner = waiter->thread;
        waiter->granted = true;
        waiter->tell(waiter);
    } else if (flk_gate_may_join(lock)) {
        for (; waiter != NULL; waiter = waiter->next)
            waiter->tell(waiter);
    }
    flk_shelf_put(lock);
}

void flk_gate_forked(struct filelock *lock, bool holds)
{
    lock->gate = (struct gate) { .state = holds ? GATE_HELD : GATE_FREE, .owner = flk_thread_self() };
    flk_shelf_put(lock);
}

bool flk_gate_is_held(const struct filelock *lock)
{
    return lock->gate.state == GATE_HELD;
}

void flk_gate_adopt(struct filelock *lock)
{
    lock->gate.owner = flk_thread_self();
}

void flk_gate_reenter(struct filelock *lock)
{
    lock->gate.state = GATE_BUSY;
}
