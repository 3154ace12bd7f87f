/* SPDX-License-Identifier: MIT
 *
 * Helper threads, which block in the kernel for a caller that waits no longer than its deadline.
 *
 * flock(2) and F_OFD_SETLKW know no timeout.  A timer signal would disturb the program; polling would cost processor
 * time and lag behind; a thread does neither.  A helper whose call has returned stays for a while, for the next call.
 * A helper that is still in the kernel at the deadline is cancelled asynchronously: it holds nothing, and nothing of it
 * is left behind.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "outcome.h"
#include "system/clock.h"
#include "system/cond.h"
#include "system/lifetime.h"
#include "system/thread.h"
#include "wait/cancelling.h"
#include "wait/file_table.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/wakeup.h"
#include "wait/worker.h"

#define IDLE_SLOTS 4
#define IDLE_NS 2000000000

/* A place in which an idle helper waits.  It is never freed, so that it may be signalled without the mutex. */
struct idle_slot {
    bool taken;
    bool dismissed; /* the process ends, and joins the helper */
    bool longer;    /* the helper has to wait for the same time again */
    pthread_t helper;
    long thread;     /* the helper's number of file_table.h */
    struct job *job; /* for the helper; NULL: none yet */
    pthread_cond_t called;
};

/* Protects all that is shared, also the jobs that are not done. */
static struct mutex mutex = MUTEX_INIT;
static struct idle_slot slots[IDLE_SLOTS];

/*
 * The helper that left last of its own accord.  It is joined by the next helper that leaves, or at the end of the
 * process.  After that it is certain that it runs no code that is about to be unmapped.
 */
static struct leaver {
    bool left;
    pthread_t helper;
} leaver;

/*
 * The number of helpers on their way to a slot: started without a job, or with their job done.  Their code must not be
 * unmapped either.  arrived is signalled whenever the number becomes less.
 */
static unsigned on_their_way;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

static void (*at_rest)(void); /* what a helper that leaves calls, above all the last; NULL: nothing */

/* ---- The helper ----------------------------------------------------------------------------- */

/* Caller holds the mutex, until the calling helper has a slot or has left.  Counts the helper as arrived. */
static void arrive(void)
{
    on_their_way--;
    (void) pthread_cond_signal(&arrived);
}

static void call_at_rest(void)
{
    void (*call)(void);

    flk_mutex_lock(&mutex);
    call = at_rest;
    flk_mutex_unlock(&mutex);
    if (call != NULL)
        call();
}

static void init_slots(void)
{
    for (size_t i = 0; i < IDLE_SLOTS; i++) {
        slots[i] = (struct idle_slot) { .taken = false };
        flk_cond_init(&slots[i].called);
    }
}

/* Returns a slot that an idle helper has taken (taken), or a free slot.  NULL: there is none. */
static struct idle_slot *find_slot(bool taken)
{
    for (size_t i = 0; i < IDLE_SLOTS; i++)
        if (slots[i].taken == taken && slots[i].job == NULL && !slots[i].dismissed)
            return &slots[i];
    return NULL;
}

/* Returns the slot of an idle helper to which the caller's descriptors are the same files.  NULL: there is none. */
static struct idle_slot *find_helper(void)
{
    for (size_t i = 0; i < IDLE_SLOTS; i++)
        if (slots[i].taken && slots[i].job == NULL && !slots[i].dismissed && flk_file_table_shared(slots[i].thread))
            return &slots[i];
    return NULL;
}

static void wait_for_call(struct idle_slot *slot)
{
    int64_t deadline = flk_now() + IDLE_NS;
    int rc = 0;

    while (rc == 0 && slot->job == NULL && !slot->dismissed)
        rc = flk_cond_wait_until(&slot->called, &mutex, deadline);
}

/* Notes that the calling helper leaves.  Returns the helper that left before, which the caller joins. */
static struct leaver note_leaving(void)
{
    struct leaver before = leaver;

    leaver = (struct leaver) { true, pthread_self() };
    return before;
}

static void join_leaver(const struct leaver *before)
{
    if (before->left)
        (void) pthread_join(before->helper, NULL);
}

/*
 * Waits in the slot until there is a job, and returns it.  NULL: the helper has waited long enough, or was dismissed.
 * *before: set to the helper that left before, for the caller to join.  A dismissed helper is joined by end_all(), and
 * leaves *before as it is.
 */
static struct job *wait_in_slot(struct idle_slot *slot, struct leaver *before)
{
    struct job *job;

    slot->taken = true;
    slot->helper = pthread_self();
    slot->thread = flk_file_table_thread();
    do {
        slot->longer = false;
        wait_for_call(slot);
    } while (slot->job == NULL && !slot->dismissed && slot->longer);
    job = slot->job;
    if (job == NULL && !slot->dismissed)
        *before = note_leaving();
    slot->job = NULL;
    slot->taken = slot->dismissed = false;
    return job;
}

/* Returns the next job.  NULL: there is none, and the helper has to end. */
static struct job *next_job(void)
{
    struct leaver before = { .left = false };
    struct job *job = NULL;
    struct idle_slot *slot;

    flk_mutex_lock(&mutex);
    arrive(); /* a thread that waits for this gets the mutex when the helper is in a slot, or has left */
    slot = find_slot(false);
    if (slot != NULL)
        job = wait_in_slot(slot, &before);
    else
        before = note_leaving();
    flk_mutex_unlock(&mutex);
    join_leaver(&before);
    if (job == NULL)
        call_at_rest();
    return job;
}

static int make_call(const struct job *job)
{
    int result, state;

    (void) pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    pthread_testcancel(); /* for an earlier pthread_cancel(3), which musl leaves to the next cancellation point */
    result = job->call(job->arg);
    (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return result;
}

/* Does the job.  False if it was abandoned: the waiter that abandoned it will join this thread. */
static bool do_job(struct job *job)
{
    int result = make_call(job);
    struct waker waker = { .semaphore = NULL };
    bool wanted;

    flk_mutex_lock(&mutex);
    job->result = result;
    job->done = true;
    wanted = !job->abandoned;
    if (wanted) {
        on_their_way++;
        waker = flk_wakeup_waker(job->wakeup); /* an abandoned job's may be closed */
    }
    flk_mutex_unlock(&mutex);
    /* Without the mutex, which the woken waiter needs. */
    if (wanted)
        flk_wake(&waker);
    return wanted;
}

static void *run_helper(void *arg)
{
    struct job *job = arg;
    int before;

    (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    (void) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    if (job == NULL)
        job = next_job();
    while (job != NULL && do_job(job))
        job = next_job();
    return NULL;
}

/* ---- The end of the process, and fork ------------------------------------------------------- */

/* Caller holds the mutex.  Returns an idle helper's slot, waiting for helpers on their way.  NULL: there is none. */
static struct idle_slot *await_slot(void)
{
    struct idle_slot *slot;

    while ((slot = find_slot(true)) == NULL && on_their_way > 0)
        (void) pthread_cond_wait(&arrived, &mutex.native);
    return slot;
}

/* Joins idle helpers: memory checkers then see their memory given back, and their code may be unmapped. */
static void end_all(void)
{
    struct leaver last;
    struct idle_slot *slot;

    flk_mutex_lock(&mutex);
    while ((slot = await_slot()) != NULL) {
        pthread_t helper = slot->helper;

        slot->dismissed = true;
        flk_mutex_unlock(&mutex);
        (void) pthread_cond_signal(&slot->called);
        (void) pthread_join(helper, NULL);
        flk_mutex_lock(&mutex);
    }
    last = leaver;
    leaver.left = false;
    flk_mutex_unlock(&mutex);
    join_leaver(&last);
}

/* Starts anew in the child, which has no helper. */
static void child_forked(bool prepared)
{
    (void) prepared;
    flk_mutex_init(&mutex);
    leaver.left = false;
    on_their_way = 0;
    (void) pthread_cond_init(&arrived, NULL);
    init_slots();
}

const struct subscriber flk_helpers_subscriber = { .process_ends = end_all, .child_forked = child_forked };

/* ---- The waiter ----------------------------------------------------------------------------- */

/* Stays false after a failure: a wait that finds no memory is refused what the next wait may get. */
static bool helpers_work; /* under the mutex */
static size_t stack_size; /* set before helpers_work is set */

/*
 * Notes that there can be helpers, if the caller has found that, and then initializes the slots.  Returns the answer
 * for all threads.
 */
static bool note_can_help(bool can, size_t size)
{
    flk_mutex_lock(&mutex);
    if (!helpers_work && can) {
        init_slots();
        stack_size = size;
        helpers_work = true;
    }
    can = helpers_work;
    flk_mutex_unlock(&mutex);
    return can;
}

/*
 * True if there can be helpers.  Finds that out without the mutex, since it may wait for the loader.  The loader may be
 * waiting for the constructor of a library, and that constructor may wait for a lock.  Does without pthread_once(3): a
 * fork in another thread can leave that half done for ever.
 */
static bool can_help(void)
{
    size_t size = 0;
    bool can;

    flk_mutex_lock(&mutex);
    can = helpers_work;
    flk_mutex_unlock(&mutex);
    if (can)
        return true;
    can = flk_cancelling_works() && flk_worker_stack_size(&size);
    return note_can_help(can, size);
}

/* Starts a helper.  job: its first job, or NULL if it has to wait for a job. */
static bool start_helper(struct job *job, pthread_t *helper)
{
    return flk_worker_start(helper, NULL, stack_size, run_helper, job) == 0;
}

static bool call_idle(struct job *job)
{
    struct idle_slot *slot;

    flk_mutex_lock(&mutex);
    slot = find_helper();
    if (slot != NULL) {
        slot->job = job;
        job->helper = slot->helper;
    }
    flk_mutex_unlock(&mutex);
    if (slot != NULL)
        (void) pthread_cond_signal(&slot->called);
    return slot != NULL;
}

static bool assign_helper(struct job *job)
{
    return can_help() && (call_idle(job) || start_helper(job, &job->helper));
}

/* Starts a helper without a job.  It counts as on its way before it runs. */
static bool start_idle(void)
{
    pthread_t helper;
    bool started;

    flk_mutex_lock(&mutex);
    on_their_way++;
    flk_mutex_unlock(&mutex);
    started = start_helper(NULL, &helper);
    if (!started) {
        flk_mutex_lock(&mutex);
        arrive();
        flk_mutex_unlock(&mutex);
    }
    return started;
}

bool flk_helper_keep_idle(void (*then)(void))
{
    struct idle_slot *slot;

    flk_mutex_lock(&mutex);
    at_rest = then;
    slot = find_slot(true);
    if (slot != NULL)
        slot->longer = true;
    flk_mutex_unlock(&mutex);
    return slot != NULL || (can_help() && start_idle());
}

/* True if the job is done, and its result set. */
static bool is_done(const struct job *job)
{
    bool done;

    flk_mutex_lock(&mutex);
    done = job->done;
    flk_mutex_unlock(&mutex);
    return done;
}

/* Cancels the helper in its call.  False if the call has just returned. */
static bool cancel_call(struct job *job)
{
    bool done;

    flk_mutex_lock(&mutex);
    done = job->done;
    if (!done) {
        job->abandoned = true;
        (void) pthread_cancel(job->helper);
    }
    flk_mutex_unlock(&mutex);
    if (!done) {
        (void) pthread_join(job->helper, NULL);
        call_at_rest(); /* this helper may have been the helper that has to do it (flk_helper_keep_idle) */
    }
    return !done;
}

/* Ends the call for the waiter.  Returns the result of the job if it is done, or the reason. */
static int abandon(struct job *job, int reason)
{
    if (!cancel_call(job))
        flk_wakeup_wait_only(job->wakeup);
    return job->done ? job->result : reason;
}

enum outcome flk_helper_call(int (*call)(void *arg), void *arg, const struct limits *limits)
{
    struct wakeup wakeup;
    struct job job = { .call = call, .arg = arg, .wakeup = &wakeup };
    int rc = NO_MEANS;

    if (flk_wakeup_open(&wakeup, limits) == 0 && assign_helper(&job)) {
        do
            rc = flk_wakeup_wait(&wakeup, limits);
        while (rc == 0 && !is_done(&job));
        rc = rc == 0 ? job.result : abandon(&job, rc);
    }
    flk_wakeup_close(&wakeup);
    return rc;
}

/* ---- Calls for callers that do not wait ----------------------------------------------------- */

bool flk_job_start(struct job *job, int (*call)(void *arg), void *arg, struct wakeup *wakeup)
{
    *job = (struct job) { .call = call, .arg = arg, .wakeup = wakeup };
    return assign_helper(job);
}

bool flk_job_is_done(struct job *job, int *result)
{
    bool done = is_done(job);

    if (done)
        *result = job->result;
    return done;
}

int flk_job_stop(struct job *job)
{
    (void) cancel_call(job);
    return job->done ? job->result : -ECANCELED;
}

filelock_waitable flk_job_stopper(const struct job *job)
{
    (void) job;
    return FILELOCK_NO_WAITABLE;
}
