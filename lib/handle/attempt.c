/* SPDX-License-Identifier: MIT
 *
 * Attempts that are under way.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "handle/announce.h"
#include "handle/attempt.h"
#include "handle/call.h"
#include "handle/gate.h"
#include "handle/gate_state.h"
#include "handle/handle.h"
#include "handle/look.h"
#include "handle/release.h"
#include "handle/shelf.h"
#include "kind.h"
#include "outcome.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "system/thread.h"
#include "wait/attend.h"
#include "wait/errand.h"
#include "wait/limits.h"
#include "wait/lookout.h"
#include "wait/wakeup.h"

struct attempt {
    struct filelock *lock;
    enum filelock_mode mode;
    thread_id thread; /* the thread that began it */
    struct errand errand;
    struct wakeup over; /* its waitable is the attempt's */

    /* Under the handle's mutex. */
    struct waiter waiter; /* for the turn, unless has_turn is true */
    bool has_turn;        /* the turn is BUSY for this attempt */
    bool called;          /* a call was made that may have got the lock */
    bool joined;          /* the lock belongs to no thread, and has an unclaimed level for this attempt */
    bool ready;           /* result is set */
    bool forgotten;       /* it is an attempt of the parent's process */
    int result;
};

static struct attempt *attempt_of(struct errand *errand)
{
    return LINK_OWNER(errand, struct attempt, errand);
}

/* ---- Looking, in the attendant -------------------------------------------------------------- */

/* Tells the attendant to look.  Caller holds the handle's mutex. */
static void tell_attendant(struct waiter *waiter)
{
    flk_attend_poke(&LINK_OWNER(waiter, struct attempt, waiter)->errand);
}

/*
 * Caller holds the handle's mutex.  Looks for the turn.  Returns
 *   TAKEN      the attempt has the turn
 *   CONTENDED  it has to wait
 *   LOST       it is over, and its result is set
 */
static enum outcome look_for_turn(struct attempt *attempt, int reason)
{
    struct filelock *lock = attempt->lock;
    bool joins = !attempt->has_turn && !attempt->waiter.granted && flk_gate_may_join(lock);

    attempt->has_turn = attempt->has_turn || attempt->waiter.granted;
    if (attempt->has_turn)
        return TAKEN;
    if (!joins && reason == 0)
        return CONTENDED;
    flk_gate_dequeue(lock, &attempt->waiter);
    attempt->result = joins ? flk_check_nest(lock, attempt->mode) : reason;
    attempt->joined = joins && attempt->result == 0;
    lock->unclaimed += attempt->joined;
    return LOST;
}

static void withdraw(const struct attempt *attempt, bool called)
{
    const struct target *target = &attempt->lock->target;

    if (called && target->kind->withdraw != NULL)
        target->kind->withdraw(target, attempt->lock->state);
}

/* Looks for the lock.  True if the attempt is over, and its result set.  After a timeout looks once more. */
static bool look_for_lock(struct attempt *attempt, int reason)
{
    struct lookout *lookout = &attempt->errand.lookout;
    int rc = CONTENDED, result;

    attempt->called = attempt->called || lookout->state == CALL_RUNS || lookout->state == CALL_ENDED;
    lookout->last = reason != 0;
    if (reason != 0)
        flk_lookout_stop(lookout);
    if (reason == 0 || reason == -ETIMEDOUT)
        rc = flk_look(attempt->lock, attempt->mode, lookout);
    else
        withdraw(attempt, flk_lookout_result(lookout, &result));
    if ((rc == CONTENDED || rc == UNREACHED) && reason == 0)
        return false;
    if (reason != 0)
        flk_lookout_stop(lookout); /* a call that the last look wants is not made */
    attempt->result = rc == CONTENDED ? reason : rc == UNREACHED ? -EHOSTUNREACH : rc;
    if (rc < 0)
        withdraw(attempt, attempt->called);
    return true;
}

static bool look(struct errand *errand, int reason)
{
    struct attempt *attempt = attempt_of(errand);
    enum outcome rc;

    flk_mutex_lock(&attempt->lock->shelf->mutex);
    rc = look_for_turn(attempt, reason);
    flk_mutex_unlock(&attempt->lock->shelf->mutex);
    return rc == TAKEN ? look_for_lock(attempt, reason) : rc == LOST;
}

/* Signals with the handle's mutex held: a thread that finishes the attempt closes the waitable. */
static void tell_over(struct errand *errand)
{
    struct attempt *attempt = attempt_of(errand);
    struct mutex *mutex = &attempt->lock->shelf->mutex;
    struct waker waker;

    flk_mutex_lock(mutex);
    attempt->ready = true;
    waker = flk_wakeup_waker(&attempt->over);
    flk_wake(&waker);
    flk_mutex_unlock(mutex);
}

static void discard(struct errand *errand)
{
    free(attempt_of(errand));
}

/* ---- Starting ------------------------------------------------------------------------------- */

/* Makes an attempt.  NULL: *rc tells why. */
static struct attempt *make(struct filelock *lock, enum filelock_mode mode, const struct limits *limits, int *rc)
{
    struct attempt *attempt = calloc(1, sizeof(*attempt));

    *rc = -ENOMEM;
    if (attempt == NULL)
        return NULL;
    attempt->lock = lock;
    attempt->mode = mode;
    attempt->thread = flk_thread_self();
    attempt->waiter = (struct waiter) { .thread = attempt->thread, .tell = tell_attendant };
    attempt->errand = (struct errand) { .limits = *limits, .look = look, .tell_over = tell_over, .discard = discard };
    *rc = flk_wakeup_open_lasting(&attempt->over);
    if (*rc == 0)
        return attempt;
    flk_wakeup_close(&attempt->over);
    free(attempt);
    return NULL;
}

/* Caller holds the handle's mutex.  Takes the turn if it is free by now, or queues up for it. */
static void want_turn(struct attempt *attempt, bool has_turn)
{
    attempt->has_turn = has_turn || flk_gate_try(attempt->lock);
    if (!attempt->has_turn)
        flk_gate_enqueue(attempt->lock, &attempt->waiter);
}

/* Caller holds the handle's mutex.  Undoes want_turn(). */
static void unwant_turn(struct attempt *attempt, bool had_turn)
{
    if (attempt->has_turn || attempt->waiter.granted) {
        if (!had_turn)
            flk_gate_end(attempt->lock, GATE_FREE);
    } else {
        flk_gate_dequeue(attempt->lock, &attempt->waiter);
    }
}

/*
 * The guard, which the waitable needs, is never taken after a handle's mutex, and neither is a thread started or joined
 * with it.  Until the attempt is the handle's, lock->beginning keeps other threads from beginning one.
 */
int flk_attempt_start(struct filelock *lock, enum filelock_mode mode, const struct limits *limits, bool has_turn)
{
    struct attempt *attempt;
    int rc;

    flk_mutex_unlock(&lock->shelf->mutex);
    flk_attempt_free_forgotten(lock);
    attempt = make(lock, mode, limits, &rc);
    flk_mutex_lock(&lock->shelf->mutex);
    if (attempt == NULL)
        return rc;
    want_turn(attempt, has_turn);
    flk_mutex_unlock(&lock->shelf->mutex);
    rc = flk_attend(&attempt->errand);
    flk_mutex_lock(&lock->shelf->mutex);
    if (rc == 0) {
        lock->attempt = attempt;
        flk_shelf_put(lock);
        return -EINPROGRESS;
    }
    unwant_turn(attempt, has_turn);
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_wakeup_close(&attempt->over);
    free(attempt);
    flk_mutex_lock(&lock->shelf->mutex);
    return rc;
}

/* ---- Questions ------------------------------------------------------------------------------ */

bool flk_attempt_is_under_way(const struct filelock *lock)
{
    return lock->attempt != NULL && !lock->attempt->forgotten;
}

bool flk_attempt_is_own(const struct filelock *lock)
{
    return flk_attempt_is_under_way(lock) && flk_thread_equal(lock->attempt->thread, flk_thread_self());
}

filelock_waitable flk_attempt_waitable(const struct filelock *lock)
{
    return flk_attempt_is_under_way(lock) ? flk_wakeup_waitable(&lock->attempt->over) : FILELOCK_NO_WAITABLE;
}

/* ---- Ending --------------------------------------------------------------------------------- */

/*
 * Caller holds the handle's mutex.  Ends the turn of an attempt that is over, for the calling thread.  If it has joined
 * the lock, makes its level the caller's.
 */
static void end_turn(struct filelock *lock, const struct attempt *attempt)
{
    if (attempt->joined) {
        lock->unclaimed--;
        lock->depth++;
    }
    if (!attempt->has_turn)
        return;
    flk_gate_adopt(lock);
    flk_end_acquire(lock, attempt->result, attempt->mode);
}

/* Caller holds the handle's mutex.  Returns 0 if there is a result to take, or an error. */
static int may_finish(const struct filelock *lock)
{
    if (flk_is_announcing(lock))
        return -EBUSY;
    if (!flk_attempt_is_under_way(lock))
        return -EINVAL;
    return lock->attempt->ready ? 0 : -EINPROGRESS;
}

int flk_attempt_finish(struct filelock *lock)
{
    struct attempt *attempt;
    int rc;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request.what = ASKED_FINISH;
    rc = may_finish(lock);
    if (rc != 0) {
        flk_mutex_unlock(&lock->shelf->mutex);
        return rc;
    }
    attempt = lock->attempt;
    lock->attempt = NULL;
    flk_shelf_put(lock);
    rc = attempt->result;
    lock->request = (struct request) { ASKED_ACQUIRE, attempt->mode, attempt->errand.limits.timeout_ms };
    end_turn(lock, attempt);
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_wakeup_close(&attempt->over);
    free(attempt);
    return rc;
}

/* Gives back what an attempt has got that is over. */
static void give_back(struct filelock *lock, struct attempt *attempt)
{
    bool own, joined_last;

    flk_mutex_lock(&lock->shelf->mutex);
    own = attempt->result == 0 && attempt->has_turn;
    joined_last = attempt->joined && --lock->unclaimed == 0 && lock->depth == 0;
    if (own)
        lock->mode = attempt->mode;
    else if (joined_last)
        flk_gate_reenter(lock);
    else if (attempt->has_turn)
        flk_gate_end(lock, GATE_FREE);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (own)
        flk_abandon(lock); /* nobody has held it */
    else if (joined_last)
        flk_end_hold(lock);
    flk_wakeup_close(&attempt->over);
    free(attempt);
}

/* Gives back the turn of an attempt that the caller has taken away from the attendant, or its place in the queue. */
static void take_back(struct filelock *lock, struct attempt *attempt)
{
    int result;

    flk_mutex_lock(&lock->shelf->mutex);
    attempt->has_turn = attempt->has_turn || attempt->waiter.granted;
    if (!attempt->has_turn)
        flk_gate_dequeue(lock, &attempt->waiter);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (attempt->has_turn) {
        withdraw(attempt, flk_lookout_result(&attempt->errand.lookout, &result));
        flk_mutex_lock(&lock->shelf->mutex);
        flk_gate_end(lock, GATE_FREE);
        flk_mutex_unlock(&lock->shelf->mutex);
    }
    flk_wakeup_close(&attempt->over);
    flk_attend_discard(&attempt->errand);
}

/*
 * Caller holds the handle's mutex.  Takes the attempt that is under way off the handle, whose turn stays BUSY.  *ready:
 * whether it is over.
 */
static struct attempt *detach(struct filelock *lock, bool *ready)
{
    struct attempt *attempt = lock->attempt;

    *ready = attempt->ready;
    lock->attempt = NULL;
    flk_shelf_put(lock);
    return attempt;
}

static void end_detached(struct filelock *lock, struct attempt *attempt, bool ready)
{
    if (ready || !flk_attend_leave(&attempt->errand))
        give_back(lock, attempt);
    else
        take_back(lock, attempt);
}

int flk_attempt_abort(struct filelock *lock)
{
    struct attempt *attempt = NULL;
    bool ready = false, busy;

    flk_mutex_lock(&lock->shelf->mutex);
    lock->request.what = ASKED_FINISH;
    busy = flk_is_announcing(lock);
    if (!busy && flk_attempt_is_under_way(lock))
        attempt = detach(lock, &ready);
    flk_mutex_unlock(&lock->shelf->mutex);
    if (attempt == NULL)
        return busy ? -EBUSY : -EINVAL;
    end_detached(lock, attempt, ready);
    return 0;
}

/* ---- Fork, and the end of the process ------------------------------------------------------- */

void flk_attempt_forget(struct filelock *lock)
{
    if (lock->attempt != NULL)
        lock->attempt->forgotten = true;
}

void flk_attempt_free_forgotten(struct filelock *lock)
{
    struct attempt *forgotten = NULL;

    flk_mutex_lock(&lock->shelf->mutex);
    if (lock->attempt != NULL && lock->attempt->forgotten) {
        forgotten = lock->attempt;
        lock->attempt = NULL;
    }
    flk_mutex_unlock(&lock->shelf->mutex);
    free(forgotten); /* but not the path that it watches: the fork may have come while that was set */
}

/* Takes an attempt off a handle of the shelf, and returns the handle.  NULL: no attempt is under way there. */
static struct filelock *detach_one(struct shelf *shelf, struct attempt **attempt, bool *ready)
{
    struct filelock *lock;

    flk_mutex_lock(&shelf->mutex);
    lock = flk_shelf_first(&shelf->active);
    while (lock != NULL && !flk_attempt_is_under_way(lock))
        lock = flk_shelf_after(lock);
    if (lock != NULL)
        *attempt = detach(lock, ready);
    flk_mutex_unlock(&shelf->mutex);
    return lock;
}

/* Returns how many attempts are under way on the handles of the shelf. */
static size_t count_under_way(struct shelf *shelf)
{
    size_t count = 0;

    flk_mutex_lock(&shelf->mutex);
    for (struct filelock *lock = flk_shelf_first(&shelf->active); lock != NULL; lock = flk_shelf_after(lock))
        count += flk_attempt_is_under_way(lock);
    flk_mutex_unlock(&shelf->mutex);
    return count;
}

/*
 * An attempt that is granted later would leave a lock behind for which there is no process.  Aborts no more attempts than
 * there are now: another thread may begin one after the other.  The attendant ends those that are left.
 */
static void abort_all(void)
{
    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL; shelf = flk_shelf_next(shelf)) {
        struct attempt *attempt;
        struct filelock *lock;
        bool ready;

        for (size_t left = count_under_way(shelf); left > 0; left--)
            if ((lock = detach_one(shelf, &attempt, &ready)) != NULL)
                end_detached(lock, attempt, ready);
    }
}

const struct subscriber flk_attempts_subscriber = { .process_ends = abort_all };
