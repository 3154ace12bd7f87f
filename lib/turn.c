/* SPDX-License-Identifier: MIT
 *
 * Turns of threads on one handle.
 */
#include "config.h"

#include "handle.h"

/* On the stack of the thread that waits. */
struct waiter {
    struct waiter *next;
    thread_id thread;
    bool granted; /* the turn is BUSY for this thread, which is no longer in the queue */
    struct wakeup wakeup;
};

bool flk_turn_try(struct filelock *lock)
{
    struct turns *turns = &lock->turns;

    if (turns->turn != TURN_FREE)
        return false;
    turns->turn = TURN_BUSY;
    turns->owner = flk_thread_self();
    return true;
}

static void enqueue(struct turns *turns, struct waiter *waiter)
{
    if (turns->first == NULL)
        turns->first = waiter;
    else
        turns->last->next = waiter;
    turns->last = waiter;
}

static void dequeue(struct turns *turns, const struct waiter *waiter)
{
    struct waiter **link = &turns->first, *before = NULL;

    while (*link != waiter) {
        before = *link;
        link = &before->next;
    }
    *link = waiter->next;
    if (turns->last == waiter)
        turns->last = before;
}

static bool joins(const struct filelock *lock)
{
    return lock->turns.turn == TURN_HELD && flk_any_thread(lock);
}

int flk_turn_wait(struct filelock *lock, struct limits *limits)
{
    struct waiter me = { .thread = flk_thread_self() };
    int rc = 0;

    /* The guard, which the wake-up needs, is never taken after a handle's mutex. */
    flk_mutex_unlock(&lock->mutex);
    flk_limits_start(limits);
    (void) flk_wakeup_open(&me.wakeup, limits);
    flk_mutex_lock(&lock->mutex);
    me.granted = flk_turn_try(lock);
    if (!me.granted) {
        enqueue(&lock->turns, &me);
        while (rc == 0 && !me.granted && !joins(lock)) {
            flk_mutex_unlock(&lock->mutex);
            rc = flk_wakeup_wait(&me.wakeup, limits);
            flk_mutex_lock(&lock->mutex);
        }
        if (!me.granted)
            dequeue(&lock->turns, &me);
    }
    flk_mutex_unlock(&lock->mutex);
    flk_wakeup_close(&me.wakeup);
    flk_mutex_lock(&lock->mutex);
    if (me.granted)
        return 0;
    return rc < 0 ? rc : FLK_TURN_LOOK;
}

/* With the mutex, which it takes to leave the queue: so the waiter is there. */
static void wake(struct waiter *waiter)
{
    struct waker waker = flk_wakeup_waker(&waiter->wakeup);

    flk_wake(&waker);
}

/* FREE goes to the first in the queue; a lock that belongs to no thread, to all of them. */
void flk_turn_end(struct filelock *lock, enum turn turn)
{
    struct turns *turns = &lock->turns;
    struct waiter *waiter = turns->first;

    turns->turn = turn;
    if (turn == TURN_FREE && waiter != NULL) {
        dequeue(turns, waiter);
        turns->turn = TURN_BUSY;
        turns->owner = waiter->thread;
        waiter->granted = true;
        wake(waiter);
    } else if (joins(lock)) {
        for (; waiter != NULL; waiter = waiter->next)
            wake(waiter);
    }
}
