/* SPDX-License-Identifier: MIT
 *
 * Looking after errands.
 */
#include "config.h"

#include <errno.h>

#include "outcome.h"
#include "system/clock.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "system/thread.h"
#include "wait/attend.h"
#include "wait/crowd.h"
#include "wait/errand.h"
#include "wait/file_table.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/lookout.h"
#include "wait/nap.h"
#include "wait/vigil.h"
#include "wait/wakeup.h"

/* End after this long without an errand: the next errand needs no new thread if it comes sooner. */
#define IDLE_NS 2000000000

static struct mutex mutex = MUTEX_INIT;

/* All of these are under the mutex.  The guard is never taken while it is held. */
static struct list errands;          /* those that are not over; new ones come first */
static struct list discarded;        /* those that are to be discarded */
static const struct errand *looking; /* the errand that the attendant uses without the mutex; only to compare with */
static struct wakeup *awaited;       /* the wake-up of the attendant; NULL: it looks anyway before it waits */
static bool runs;                    /* the attendant runs, or is about to */
static bool ends;                    /* the attendant has to end as soon as it has no errand */
static bool left;                    /* the attendant has ended, and is to be joined */
static bool joins_end;               /* the attendant that ends is joined at the end of the process */
static bool began;                   /* the attendant has told `thread` */
static long thread;                  /* the attendant's number of file_table.h */
static struct attendant attendant;

static struct errand *errand_of(struct link *link)
{
    return LINK_OWNER(link, struct errand, link);
}

/* Caller holds the mutex. */
static void wake(void)
{
    struct waker waker;

    if (awaited == NULL)
        return;
    waker = flk_wakeup_waker(awaited);
    flk_wake(&waker);
}

/* ---- Queues of calls ------------------------------------------------------------------------ */

/* True if the other calls with the same key have to wait for this errand. */
static bool has_call(const struct errand *errand)
{
    return errand->lookout.state != CALL_NONE && errand->lookout.state != CALL_QUEUED;
}

/* Caller holds the mutex.  Queues a call that is wanted if another call with its key is wanted or runs. */
static void queue_call(struct errand *errand)
{
    for (struct link *link = errands.first; link != NULL; link = link->next) {
        const struct errand *other = errand_of(link);

        if (other != errand && has_call(other) && flk_same_call(&other->lookout.key, &errand->lookout.key))
            errand->lookout.state = CALL_QUEUED;
    }
}

/*
 * Caller holds the mutex.  Makes the errand due that has been queued longest for this key, unless another errand has a
 * call with this key: that one comes here when its call is over.  The errand that the attendant uses finds out by
 * itself.
 */
static void call_next(const struct call_key *key)
{
    struct errand *next = NULL;

    for (struct link *link = errands.first; link != NULL; link = link->next) {
        struct errand *errand = errand_of(link);

        if (errand == looking || !flk_same_call(&errand->lookout.key, key))
            continue;
        if (has_call(errand))
            return;
        if (errand->lookout.state == CALL_QUEUED)
            next = errand;
    }
    if (next != NULL) {
        next->lookout.state = CALL_NEXT;
        next->due = true;
    }
}

/* Caller holds the mutex, which is let go meanwhile.  Starts the call, or tries again after a nap. */
static void start_call(struct errand *errand)
{
    struct lookout *lookout = &errand->lookout;
    struct wakeup *told = awaited;
    bool started;

    looking = errand;
    flk_mutex_unlock(&mutex);
    started = flk_job_start(&lookout->job, lookout->call, lookout->room, told);
    flk_mutex_lock(&mutex);
    looking = NULL;
    lookout->state = started ? CALL_RUNS : CALL_NEXT; /* after the nap it is still this errand's turn */
    lookout->refused = !started;
    if (!started)
        errand->next = flk_after(flk_next_nap(&lookout->nap));
}

/* ---- Looking -------------------------------------------------------------------------------- */

/* Caller holds the mutex, which is let go meanwhile.  Ends an errand that is over. */
static void finish(struct errand *errand)
{
    flk_list_remove(&errands, &errand->link);
    flk_mutex_unlock(&mutex);
    flk_lookout_close(&errand->lookout);
    errand->tell_over(errand);
    flk_mutex_lock(&mutex);
}

/* Caller holds the mutex.  A call that has not begun is made only if the next look wants it once more. */
static void forget_wish(struct lookout *lookout)
{
    if (lookout->state != CALL_RUNS && lookout->state != CALL_ENDED)
        lookout->state = CALL_NONE;
}

/* Caller holds the mutex, which is let go meanwhile. */
static void look(struct errand *errand)
{
    bool called = has_call(errand), over;
    struct call_key key = errand->lookout.key;
    int reason = errand->reason;

    errand->due = false;
    forget_wish(&errand->lookout);
    looking = errand;
    flk_mutex_unlock(&mutex);
    errand->lookout.left = FLK_NEVER;
    over = errand->look(errand, reason);
    flk_mutex_lock(&mutex);
    if (!over) {
        errand->next = flk_after(flk_lookout_patience(&errand->lookout));
        if (errand->lookout.state == CALL_WANTED)
            queue_call(errand);
        called = called && !(has_call(errand) && flk_same_call(&errand->lookout.key, &key));
    } else {
        finish(errand);
    }
    looking = NULL;
    if (called)
        call_next(&key);
}

/* Caller holds the mutex.  True if a limit is reached, or the time of the next look, or the call has ended. */
static bool is_due(struct errand *errand, int64_t now)
{
    if (errand->reason == 0 && now >= errand->limits.deadline)
        errand->reason = -ETIMEDOUT;
    return errand->due || errand->reason != 0 || now >= errand->next || flk_lookout_has_result(&errand->lookout);
}

/* Caller holds the mutex.  Makes errands due, and returns the time at which the next will be due. */
static int64_t make_due(void)
{
    int64_t now = flk_now(), until = FLK_NEVER;

    for (struct link *link = errands.first; link != NULL; link = link->next) {
        struct errand *errand = errand_of(link);
        int64_t at = errand->next < errand->limits.deadline ? errand->next : errand->limits.deadline;
        bool engaged = flk_lookout_is_engaged(&errand->lookout); /* the end of the call wakes the attendant */

        errand->due = !engaged && is_due(errand, now);
        if (errand->due)
            until = now;
        else if (!engaged && at < until)
            until = at;
    }
    return until;
}

/* Caller holds the mutex, which is let go meanwhile.  Looks at all errands that are due, and starts calls. */
static void look_at_due(void)
{
    struct link *link = errands.first;

    while (link != NULL && !joins_end) {
        struct errand *errand = errand_of(link);

        link = link->next;
        if (errand->due && !flk_lookout_is_engaged(&errand->lookout))
            look(errand);
        else if (errand->lookout.state == CALL_WANTED)
            start_call(errand);
        else
            continue;
        link = errands.first; /* the list may have changed meanwhile */
    }
}

/* Caller holds the mutex, which is let go meanwhile. */
static void discard_all(void)
{
    while (discarded.first != NULL) {
        struct errand *errand = errand_of(discarded.first);

        flk_list_remove(&discarded, &errand->link);
        flk_mutex_unlock(&mutex);
        flk_lookout_close(&errand->lookout);
        errand->discard(errand);
        flk_mutex_lock(&mutex);
    }
}

/* Caller holds the mutex, which is let go meanwhile.  Looks until all errands have to wait, and then waits. */
static void watch_once(struct wakeup *wakeup, int64_t idle_until)
{
    int64_t until;

    do {
        discard_all();
        look_at_due();
        until = make_due();
    } while (!joins_end && until != FLK_NEVER && until <= flk_now());
    if (errands.first == NULL)
        until = idle_until;
    flk_vigil_gather(&errands);
    if (discarded.first != NULL || ends || joins_end)
        until = flk_now();
    flk_mutex_unlock(&mutex);
    flk_vigil_wait(wakeup, until);
    flk_mutex_lock(&mutex);
    flk_vigil_tell(&errands);
}

/*
 * Caller holds the mutex, which is let go meanwhile.  Ends the calls of errands that other threads have begun while the
 * process ends: a helper must not tell a wake-up that is closed.
 */
static void stop_calls(void)
{
    struct link *link = errands.first;

    while (link != NULL) {
        struct errand *errand = errand_of(link);

        link = link->next;
        if (errand->lookout.state != CALL_RUNS)
            continue;
        looking = errand;
        flk_mutex_unlock(&mutex);
        flk_lookout_stop(&errand->lookout);
        flk_mutex_lock(&mutex);
        looking = NULL;
        link = errands.first; /* the list may have changed meanwhile */
    }
}

/* Caller holds the mutex, which is let go meanwhile.  Gives back what the next errand would need. */
static void give_back(void)
{
    bool alone = errands.first == NULL;

    flk_mutex_unlock(&mutex);
    if (alone)
        flk_crowd_end();
    flk_vigil_end();
    flk_mutex_lock(&mutex);
}

/*
 * Caller holds the mutex, which is let go meanwhile.  True if the attendant has to end.  The end of the process waits
 * for no errand: other threads could begin one after the other.
 */
static bool may_end(int64_t *idle_until)
{
    if (joins_end) {
        stop_calls();
        discard_all();
        give_back();
        return true;
    }
    if (errands.first != NULL || discarded.first != NULL) {
        *idle_until = flk_now() + IDLE_NS;
        return false;
    }
    if (!ends && flk_now() < *idle_until)
        return false;
    give_back();
    return errands.first == NULL && discarded.first == NULL;
}

static void attend(void)
{
    int64_t idle_until = flk_now() + IDLE_NS;
    struct wakeup wakeup;

    flk_vigil_begin();
    (void) flk_wakeup_open_lasting(&wakeup);
    flk_mutex_lock(&mutex);
    /* cppcheck-suppress autoVariables; it is cleared below */
    awaited = &wakeup;
    thread = flk_file_table_thread();
    began = true;
    while (!may_end(&idle_until))
        watch_once(&wakeup, idle_until);
    awaited = NULL;
    runs = ends = began = false;
    left = !joins_end;
    flk_mutex_unlock(&mutex);
    flk_wakeup_close(&wakeup);
}

/* ---- Callers -------------------------------------------------------------------------------- */

/* Caller holds the mutex.  Starts the attendant.  *before: the attendant that has ended, for the caller to join. */
static int start(struct attendant *before, bool *joins)
{
    *joins = left;
    *before = attendant;
    if (flk_vigil_start(&attendant, attend) != 0) {
        attendant = *before;
        *joins = false;
        return -EAGAIN;
    }
    runs = true;
    left = false;
    return 0;
}

/*
 * Caller holds the mutex, which is let go meanwhile.  Waits until an attendant that another thread has started has
 * begun, or has ended.
 */
static void await_begin(void)
{
    static const struct limits forever = { .deadline = FLK_NEVER, .cancel = FILELOCK_NO_WAITABLE };
    struct wakeup nap;

    if (!runs || began)
        return;
    flk_mutex_unlock(&mutex);
    flk_wakeup_open_napping(&nap);
    flk_mutex_lock(&mutex);
    while (runs && !began) {
        flk_mutex_unlock(&mutex);
        (void) flk_wakeup_wait(&nap, &forever);
        flk_mutex_lock(&mutex);
    }
    flk_mutex_unlock(&mutex);
    flk_wakeup_close(&nap);
    flk_mutex_lock(&mutex);
}

/*
 * Caller holds the mutex, which may be let go meanwhile.  Sees to it that an attendant runs for which the caller's
 * descriptors are the same files.  A thread has its table from the thread that started it.
 */
static int have_attendant(struct attendant *before, bool *joins)
{
    await_begin();
    if (!runs)
        return start(before, joins);
    return flk_file_table_shared(thread) ? 0 : -EAGAIN;
}

int flk_attend(struct errand *errand)
{
    struct attendant before;
    bool joins = false;
    int rc;

    flk_lookout_open(&errand->lookout);
    flk_mutex_lock(&mutex);
    rc = have_attendant(&before, &joins);
    if (rc == 0) {
        ends = false;
        errand->due = true;
        errand->reason = 0;
        errand->next = FLK_NEVER;
        errand->slot = 0;
        flk_list_add(&errands, &errand->link);
        wake();
    }
    flk_mutex_unlock(&mutex);
    if (joins)
        flk_vigil_join(&before);
    return rc;
}

void flk_attend_poke(struct errand *errand)
{
    flk_mutex_lock(&mutex);
    errand->due = true;
    wake();
    flk_mutex_unlock(&mutex);
}

/* True if the errand is on the list of those that are not over.  Caller holds the mutex. */
static bool is_attended(const struct errand *errand)
{
    struct link *link = errands.first;

    while (link != NULL && errand_of(link) != errand)
        link = link->next;
    return link != NULL;
}

/* Takes the errand off the list, if that is possible now. */
static enum outcome take_away(struct errand *errand, struct call_key *key, bool *called)
{
    enum outcome rc = AGAIN;

    flk_mutex_lock(&mutex);
    if (looking != errand)
        rc = is_attended(errand) ? TAKEN : LOST;
    if (rc == TAKEN) {
        flk_list_remove(&errands, &errand->link);
        *called = has_call(errand);
        *key = errand->lookout.key;
    }
    flk_mutex_unlock(&mutex);
    return rc;
}

bool flk_attend_leave(struct errand *errand)
{
    static const struct limits forever = { .deadline = FLK_NEVER, .cancel = FILELOCK_NO_WAITABLE };
    struct call_key key;
    struct wakeup nap;
    bool called = false;
    enum outcome rc = take_away(errand, &key, &called);

    if (rc == AGAIN) { /* a look does not take long */
        flk_wakeup_open_napping(&nap);
        while ((rc = take_away(errand, &key, &called)) == AGAIN)
            (void) flk_wakeup_wait(&nap, &forever);
        flk_wakeup_close(&nap);
    }
    if (rc == LOST)
        return false;
    flk_lookout_stop(&errand->lookout);
    if (called) {
        flk_mutex_lock(&mutex);
        call_next(&key);
        wake();
        flk_mutex_unlock(&mutex);
    }
    return true;
}

void flk_attend_discard(struct errand *errand)
{
    flk_mutex_lock(&mutex);
    flk_list_add(&discarded, &errand->link);
    wake();
    flk_mutex_unlock(&mutex);
}

void flk_attend_rest(void)
{
    flk_mutex_lock(&mutex);
    ends = runs;
    wake();
    flk_mutex_unlock(&mutex);
}

/* ---- The end of the process, and fork ------------------------------------------------------- */

static void end_attendant(void)
{
    struct attendant before;
    bool joins;

    flk_mutex_lock(&mutex);
    ends = joins_end = runs;
    joins = runs || left;
    before = attendant;
    left = false;
    wake();
    flk_mutex_unlock(&mutex);
    if (joins)
        flk_vigil_join(&before);
    flk_mutex_lock(&mutex);
    joins_end = false;
    flk_mutex_unlock(&mutex);
}

/* Starts anew in the child, which has no attendant.  The memory of errands is left to their callers. */
static void child_forked(bool prepared)
{
    (void) prepared;
    flk_mutex_init(&mutex);
    errands.first = discarded.first = NULL;
    looking = NULL;
    awaited = NULL;
    runs = ends = left = joins_end = began = false;
}

const struct subscriber flk_attendant_subscriber = { .process_ends = end_attendant, .child_forked = child_forked };
