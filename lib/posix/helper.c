/* SPDX-License-Identifier: MIT
 *
 * Helper threads, which sit in the kernel for somebody who waits no longer than his deadline.
 *
 * flock(2) and F_OFD_SETLKW know no timeout.  A timer signal would disturb the program, polling
 * would cost processor time and lag behind; a thread does neither.  A helper whose call returned
 * stays for the next one for a while.  One that is still in the kernel at the deadline is cancelled
 * asynchronously: it holds nothing, and nothing of its own outlives it.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "platform.h"
#include "posix/cancelling.h"
#include "posix/cond.h"
#include "posix/helper.h"

#define SEATS 4
#define IDLE_NS 2000000000
#define STACK_SIZE (256 * 1024)

/* On the stack of who waits. */
struct job {
    int (*call)(void *arg);
    void *arg;
    int result;
    bool done;      /* result is there */
    bool abandoned; /* the helper is to end, and will be joined */
    pthread_t helper;
    struct wakeup wakeup;
};

/* Where an idle helper waits.  Never given back, so that it may be signalled without the mutex. */
struct seat {
    bool taken;
    bool dismissed; /* the process ends, and joins the helper */
    bool longer;    /* the helper is to wait for as long again */
    pthread_t helper;
    struct job *job; /* for the helper; NULL: none yet */
    pthread_cond_t called;
};

/* All that is shared, jobs that are not done included, is under the mutex. */
static struct mutex mutex = MUTEX_INIT;
static struct seat seats[SEATS];

/* ---- The helper ----------------------------------------------------------------------------- */

static void init_seats(void)
{
    for (size_t i = 0; i < SEATS; i++) {
        seats[i] = (struct seat) { .taken = false };
        flk_cond_init(&seats[i].called);
    }
}

/* A seat that is taken by an idle helper, or by nobody. */
static struct seat *find_seat(bool taken)
{
    for (size_t i = 0; i < SEATS; i++)
        if (seats[i].taken == taken && seats[i].job == NULL && !seats[i].dismissed)
            return &seats[i];
    return NULL;
}

static void idle_wait(struct seat *seat)
{
    int64_t deadline = flk_now() + IDLE_NS;
    int rc = 0;

    while (rc == 0 && seat->job == NULL && !seat->dismissed)
        rc = flk_cond_wait_until(&seat->called, &mutex, deadline);
}

/* Sits until there is a job, which is returned, or no more need to wait: NULL. */
static struct job *sit(struct seat *seat)
{
    struct job *job;

    seat->taken = true;
    seat->helper = pthread_self();
    do {
        seat->longer = false;
        idle_wait(seat);
    } while (seat->job == NULL && !seat->dismissed && seat->longer);
    job = seat->job;
    if (job == NULL && !seat->dismissed)
        (void) pthread_detach(seat->helper);
    seat->job = NULL;
    seat->taken = seat->dismissed = false;
    return job;
}

/* NULL: there is none, and the helper is to end, detached or joined by who dismissed it. */
static struct job *next_job(void)
{
    struct job *job = NULL;
    struct seat *seat;

    flk_mutex_lock(&mutex);
    seat = find_seat(false);
    if (seat != NULL)
        job = sit(seat);
    else
        (void) pthread_detach(pthread_self());
    flk_mutex_unlock(&mutex);
    if (job == NULL)
        flk_watches_rest();
    return job;
}

static int make_call(const struct job *job)
{
    int result, state;

    (void) pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    pthread_testcancel(); /* for what came before, which musl leaves to the next cancellation point */
    result = job->call(job->arg);
    (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    return result;
}

/* Does the job; false: it was abandoned, and who did will join this thread. */
static bool do_job(struct job *job)
{
    int result = make_call(job);
    struct waker waker;
    bool wanted;

    flk_mutex_lock(&mutex);
    job->result = result;
    job->done = true;
    wanted = !job->abandoned;
    waker = flk_wakeup_waker(&job->wakeup);
    flk_mutex_unlock(&mutex);
    /* Not with the mutex, which who is woken wants. */
    if (wanted)
        flk_wake(&waker);
    return wanted;
}

static void *help(void *arg)
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

/* Idle helpers are joined, so that their memory is seen to be given back. */
static void dismiss_all(void)
{
    struct seat *seat;

    flk_mutex_lock(&mutex);
    while ((seat = find_seat(true)) != NULL) {
        pthread_t helper = seat->helper;

        seat->dismissed = true;
        flk_mutex_unlock(&mutex);
        (void) pthread_cond_signal(&seat->called);
        (void) pthread_join(helper, NULL);
        flk_mutex_lock(&mutex);
    }
    flk_mutex_unlock(&mutex);
}

void flk_helpers_forked(void)
{
    flk_mutex_init(&mutex);
    init_seats();
}

/* ---- Who waits ------------------------------------------------------------------------------ */

/* Not pthread_once(3), which a fork in another thread can leave half done for ever. */
static bool can_help(void)
{
    static enum { UNKNOWN, NO, YES } answer; /* under the mutex */
    bool can;

    flk_mutex_lock(&mutex);
    if (answer == UNKNOWN) {
        init_seats();
        answer = flk_cancelling_works() && atexit(dismiss_all) == 0 ? YES : NO;
    }
    can = answer == YES;
    flk_mutex_unlock(&mutex);
    return can;
}

/* job: its first; NULL: it waits for one. */
static bool start_thread(struct job *job, pthread_t *helper)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    (void) pthread_attr_setstacksize(&attributes, STACK_SIZE);
    (void) sigfillset(&all);
    /* The program's handlers run in the program's threads. */
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(helper, &attributes, help, job);
    /* The program's thread-local storage, which may be large, has to find room on the stack as well. */
    if (error == EINVAL)
        error = pthread_create(helper, NULL, help, job);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void) pthread_attr_destroy(&attributes);
    return error == 0;
}

static bool call_idle(struct job *job)
{
    struct seat *seat;

    flk_mutex_lock(&mutex);
    seat = find_seat(true);
    if (seat != NULL) {
        seat->job = job;
        job->helper = seat->helper;
    }
    flk_mutex_unlock(&mutex);
    if (seat != NULL)
        (void) pthread_cond_signal(&seat->called);
    return seat != NULL;
}

static bool start(struct job *job)
{
    return can_help() && (call_idle(job) || start_thread(job, &job->helper));
}

bool flk_helper_stay(void)
{
    struct seat *seat;
    pthread_t helper;

    flk_mutex_lock(&mutex);
    seat = find_seat(true);
    if (seat != NULL)
        seat->longer = true;
    flk_mutex_unlock(&mutex);
    return seat != NULL || (can_help() && start_thread(NULL, &helper));
}

/* Whether the job is done; then its result is there. */
static bool is_done(const struct job *job)
{
    bool done;

    flk_mutex_lock(&mutex);
    done = job->done;
    flk_mutex_unlock(&mutex);
    return done;
}

/* Gets the helper out of the call, unless it comes out by itself at this moment. */
static int abandon(struct job *job, int reason)
{
    bool done;

    flk_mutex_lock(&mutex);
    done = job->done;
    if (!done) {
        job->abandoned = true;
        (void) pthread_cancel(job->helper);
    }
    flk_mutex_unlock(&mutex);
    if (done) {
        flk_wakeup_wait_only(&job->wakeup);
    } else {
        (void) pthread_join(job->helper, NULL);
        flk_watches_rest(); /* which this helper may have been to call (flk_helper_stay) */
    }
    return job->done ? job->result : reason;
}

int flk_helper_call(int (*call)(void *arg), void *arg, const struct limits *limits)
{
    struct job job = { .call = call, .arg = arg };
    int rc = FLK_NO_HELPER;

    if (flk_wakeup_open(&job.wakeup, limits) == 0 && start(&job)) {
        do
            rc = flk_wakeup_wait(&job.wakeup, limits);
        while (rc == 0 && !is_done(&job));
        rc = rc == 0 ? job.result : abandon(&job, rc);
    }
    flk_wakeup_close(&job.wakeup);
    return rc;
}
