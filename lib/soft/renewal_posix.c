/* SPDX-License-Identifier: MIT
 *
 * The renewals of POSIX: threads for all leases, with all signals blocked.
 *
 * A file server may hang.  So the timekeeper, which tells of the losses, never touches a file.  Touchers do that, and
 * hold no lock of the library meanwhile.  No two touchers work on one file system at once: a server that hangs keeps
 * one of them, and the leases on other file systems are renewed all the same.
 *
 * The threads are there while a lease is held, and a moment longer.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/types.h>

#include "soft/renewal.h"
#include "system/boot_clock.h"
#include "system/clock.h"
#include "system/cond.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "system/list.h"
#include "system/own_file.h"
#include "system/thread.h"
#include "wait/limits.h"
#include "wait/wakeup_fd.h"
#include "wait/worker.h"

/* Renew this many times in a lease's duration, as Python does. */
#define RENEWALS 3

/* The marker counts as removed when it is absent this many times running: a breaker moves it away for a moment. */
#define MAX_ABSENT 2

/* End a thread after it had nothing to do for this long.  One idle toucher stays as long as the timekeeper does. */
#define IDLE_NS 500000000

/* Start another toucher when a renewal has been due for 1/8 of its interval, and all touchers are at work. */
#define PATIENCE 8

/* A lease that is held.  All members are under the mutex, but the terms never change. */
struct renewal {
    struct link link;
    uint64_t number;
    struct lease_terms terms;
    struct wakeup_fd ends; /* readable once the lease is lost */
    int64_t renewed;       /* ns of flk_boot_now(), before the last renewal that succeeded began */
    int64_t next;          /* ns of flk_now(): when the next renewal is due */
    int64_t modified;      /* the marker's time of writing; only the toucher uses it */
    unsigned absent;       /* how many times running the marker was absent */
    enum loss loss;
    bool paused;
    bool busy; /* a toucher looks at its files, and does not hold the mutex */
};

/* A thread that touches files. */
struct toucher {
    struct link link;
    const struct renewal *at; /* NULL: it is idle */
};

/* Protects all that follows.  It is taken after the guard and after a handle's mutex. */
static struct mutex mutex = MUTEX_INIT;
static struct list renewals;
static struct list spare; /* what a child has from its parent: memory cannot be given back there */
static uint64_t last_number;

static bool prepared; /* the conditions are initialized, and the size of the stack is known */
static size_t stack_size;
static pthread_cond_t changed; /* for the timekeeper: there is another lease or none, or the threads are dismissed */
static pthread_cond_t work;    /* for touchers: a renewal is due, or they may end */
static pthread_cond_t unbusy = PTHREAD_COND_INITIALIZER;

static bool keeps_time; /* there is a timekeeper */
static int64_t wakes;   /* ns of flk_now(): when it wakes by itself */
static struct list touchers;
static unsigned alive;                                 /* threads that were started, and have not left */
static unsigned on_their_way;                          /* those of them that have not got the mutex yet */
static bool dismissed;                                 /* all threads have to end */
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER; /* a thread has left */

/* The thread that left last, which is to be joined: its code may be unmapped after that. */
static struct {
    bool left;
    pthread_t thread;
} leaver;

/* ---- One lease ------------------------------------------------------------------------------- */

static int64_t interval_of(const struct renewal *renewal)
{
    return renewal->terms.duration / RENEWALS;
}

/* Returns when the lease ends by this process's own clock, unless it is renewed. */
static int64_t end_of(const struct renewal *renewal)
{
    return renewal->renewed + renewal->terms.duration;
}

static void lose(struct renewal *renewal, enum loss loss)
{
    renewal->loss = loss;
    renewal->next = FLK_NEVER;
    flk_wakeup_fd_send(&renewal->ends);
}

/* Returns the ns that are left of the lease.  If none are, the lease is lost. */
static int64_t time_left(struct renewal *renewal)
{
    int64_t left = renewal->loss == LOSS_NONE ? end_of(renewal) - flk_boot_now() : 0;

    if (renewal->loss == LOSS_NONE && left <= 0)
        lose(renewal, LOSS_NOT_RENEWED);
    return left > 0 ? left : 0;
}

/* What a renewal came to. */
enum renewed { RENEWED, ABSENT, OTHER, FAILED };

/* Gives the marker a new time if the path names it.  If the program has closed the descriptor, that fails. */
static enum renewed touch(struct renewal *renewal)
{
    const struct lease_terms *terms = &renewal->terms;
    struct identity found;
    int rc = flk_file_path_identity(terms->path, false, &found);

    if (rc == 0 && !flk_file_same(&found, &terms->id))
        return OTHER;
    if (flk_error_no_file(rc))
        return ABSENT;
    if (rc == 0)
        rc = flk_own_file(terms->fd, &terms->id);
    if (rc == 0)
        rc = flk_file_touch(terms->fd, &renewal->modified);
    return rc == 0 ? RENEWED : FAILED;
}

/*
 * Draws the conclusion from a renewal that began at that time of flk_boot_now().  If the lease ended meanwhile, the
 * renewal may have come too late, and another contender may hold the lock.
 */
static void conclude(struct renewal *renewal, enum renewed outcome, int64_t began)
{
    int64_t longest = renewal->terms.duration - interval_of(renewal);

    renewal->absent = outcome == ABSENT ? renewal->absent + 1 : 0;
    if (outcome == OTHER)
        lose(renewal, LOSS_TAKEN_OVER);
    else if (renewal->absent == MAX_ABSENT)
        lose(renewal, LOSS_REMOVED);
    else if (time_left(renewal) > 0 && outcome == RENEWED)
        renewal->renewed = began;
    else if (renewal->loss == LOSS_NONE && began - renewal->renewed >= longest)
        lose(renewal, LOSS_NOT_RENEWED);
}

/* Renews a lease.  Lets go of the mutex meanwhile. */
static void renew(struct renewal *renewal)
{
    int64_t began = flk_boot_now(), next = flk_now() + interval_of(renewal);
    enum renewed outcome;

    if (time_left(renewal) == 0)
        return;
    renewal->busy = true;
    flk_mutex_unlock(&mutex);
    outcome = touch(renewal);
    flk_mutex_lock(&mutex);
    renewal->busy = false;
    (void) pthread_cond_broadcast(&unbusy);
    if (renewal->loss == LOSS_NONE)
        conclude(renewal, outcome, began);
    if (renewal->loss == LOSS_NONE)
        renewal->next = next;
}

/* ---- Touchers -------------------------------------------------------------------------------- */

static struct renewal *of_link(struct link *link)
{
    return LINK_OWNER(link, struct renewal, link);
}

static struct toucher *toucher_of_link(struct link *link)
{
    return LINK_OWNER(link, struct toucher, link);
}

/* True if a toucher is at work on a file system. */
static bool is_at_work_on(dev_t device)
{
    for (struct link *link = touchers.first; link != NULL; link = link->next)
        if (toucher_of_link(link)->at != NULL && toucher_of_link(link)->at->terms.id.device == device)
            return true;
    return false;
}

static unsigned count_idle(void)
{
    unsigned count = 0;

    for (struct link *link = touchers.first; link != NULL; link = link->next)
        if (toucher_of_link(link)->at == NULL)
            count++;
    return count;
}

/* True if a toucher may renew the lease now, or once that is due. */
static bool is_free(const struct renewal *renewal)
{
    return !renewal->paused && renewal->next != FLK_NEVER && !is_at_work_on(renewal->terms.id.device);
}

/* Returns the free lease whose renewal is due first.  NULL: there is none. */
static struct renewal *first_due(void)
{
    struct renewal *first = NULL;

    for (struct link *link = renewals.first; link != NULL; link = link->next) {
        struct renewal *renewal = of_link(link);

        if ((first == NULL || renewal->next < first->next) && is_free(renewal))
            first = renewal;
    }
    return first;
}

/* Waits until a renewal may be due.  Returns false if the toucher, which is idle, has to end. */
static bool wait_for_work(void)
{
    int rc = 0;

    if (!keeps_time && renewals.first == NULL)
        return false;
    if (count_idle() == 1)
        (void) pthread_cond_wait(&work, &mutex.native);
    else
        rc = flk_cond_wait_until(&work, &mutex, flk_now() + IDLE_NS);
    return rc == 0 || count_idle() == 1;
}

/* Renews what is due, as long as the toucher is wanted. */
static void touch_all(void)
{
    struct toucher self = { .at = NULL };
    bool wanted = true;

    flk_list_add(&touchers, &self.link);
    while (wanted && !dismissed) {
        struct renewal *due = first_due();

        if (due != NULL && due->next <= flk_now()) {
            self.at = due;
            renew(due);
            self.at = NULL;
            (void) pthread_cond_signal(&changed);
        } else {
            wanted = wait_for_work();
        }
    }
    flk_list_remove(&touchers, &self.link);
}

/* ---- The timekeeper -------------------------------------------------------------------------- */

static bool start_thread(void);

static int64_t sooner(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Tells of the leases that end.  Returns when the next one does unless it is renewed, on the clock of flk_now(). */
static int64_t tell_losses(int64_t now)
{
    int64_t first = FLK_NEVER;

    for (struct link *link = renewals.first; link != NULL; link = link->next) {
        struct renewal *renewal = of_link(link);
        int64_t left = time_left(renewal);

        if (renewal->loss == LOSS_NONE)
            first = sooner(first, now + left);
    }
    return first;
}

/* True if the lease is free, and has been due for this many ns. */
static bool is_late(const struct renewal *renewal, int64_t now, int64_t by)
{
    return is_free(renewal) && renewal->next + by <= now;
}

/* Calls a toucher if a renewal is due.  Starts one, without the mutex, if all have been at work for too long. */
static void call_toucher(int64_t now)
{
    bool due = false, overdue = false;

    for (struct link *link = renewals.first; link != NULL; link = link->next) {
        due = due || is_late(of_link(link), now, 0);
        overdue = overdue || is_late(of_link(link), now, interval_of(of_link(link)) / PATIENCE);
    }
    if (due && count_idle() > 0)
        (void) pthread_cond_signal(&work);
    else if (overdue && on_their_way == 0)
        (void) start_thread(); /* if no thread can be had now, one may be had later */
}

/*
 * Returns when to call a toucher again.  A toucher that ends a renewal wakes the timekeeper, so that leases on a file
 * system at which one is at work do not count.
 */
static int64_t next_call(int64_t now)
{
    int64_t first = FLK_NEVER;

    for (struct link *link = renewals.first; link != NULL; link = link->next) {
        const struct renewal *renewal = of_link(link);
        int64_t patience = interval_of(renewal) / PATIENCE, next = renewal->next;

        if (!is_free(renewal))
            continue;
        if (next <= now)
            next = next + patience > now ? next + patience : now + patience;
        first = sooner(first, next);
    }
    return first;
}

/* Keeps the time until the threads are dismissed, or there was no lease for a while. */
static void keep_time(void)
{
    int rc = 0;

    while (!dismissed && (rc == 0 || renewals.first != NULL)) {
        int64_t now = flk_now(), end = tell_losses(now);

        call_toucher(now);
        wakes = renewals.first == NULL ? now + IDLE_NS : sooner(end, next_call(now));
        if (wakes == FLK_NEVER)
            rc = pthread_cond_wait(&changed, &mutex.native);
        else
            rc = flk_cond_wait_until(&changed, &mutex, wakes);
    }
}

/* ---- The threads ----------------------------------------------------------------------------- */

/* Notes that the calling thread leaves.  Returns true and the thread that left before, which the caller joins. */
static bool note_leaving(pthread_t *before)
{
    bool left = leaver.left;

    *before = leaver.thread;
    leaver.left = true;
    leaver.thread = pthread_self();
    alive--;
    (void) pthread_cond_signal(&gone);
    return left;
}

/* Runs in a thread of its own. */
static void *run(void *arg)
{
    pthread_t before;
    bool left;

    flk_mutex_lock(&mutex);
    on_their_way--;
    if (!keeps_time) {
        keeps_time = true;
        keep_time();
        keeps_time = false;
        (void) pthread_cond_broadcast(&work);
    } else {
        touch_all();
    }
    left = note_leaving(&before);
    flk_mutex_unlock(&mutex);
    if (left)
        (void) pthread_join(before, NULL);
    return arg;
}

/*
 * Caller holds the mutex.  Starts a thread without it, since that may wait for the loader.  Returns true if there is a
 * thread.
 */
static bool start_thread(void)
{
    pthread_t thread;
    int error;

    alive++;
    on_their_way++;
    flk_mutex_unlock(&mutex);
    error = flk_worker_start(&thread, NULL, stack_size, run, NULL);
    flk_mutex_lock(&mutex);
    if (error == 0)
        return true;
    alive--;
    on_their_way--;
    (void) pthread_cond_signal(&gone);
    return false;
}

/* Makes ready for threads.  Finds the size of their stacks without the mutex: that may wait for the loader. */
static int prepare(void)
{
    size_t size = 0;
    bool done;

    flk_mutex_lock(&mutex);
    done = prepared;
    flk_mutex_unlock(&mutex);
    if (done)
        return 0;
    if (!flk_worker_stack_size(&size))
        return -EAGAIN;
    flk_mutex_lock(&mutex);
    if (!prepared) {
        flk_cond_init(&changed);
        flk_cond_init(&work);
        stack_size = size;
        prepared = true;
    }
    flk_mutex_unlock(&mutex);
    return 0;
}

/*
 * Sees to it that there are a timekeeper and a toucher.  Several callers may do so at once: the threads that are too
 * many end after a while.  next: when the timekeeper has to look at a new lease.  Returns 0 or -errno.
 */
static int ensure_threads(int64_t next)
{
    unsigned wanted;
    bool started = true;

    flk_mutex_lock(&mutex);
    wanted = (keeps_time ? 0U : 1U) + (touchers.first != NULL ? 0U : 1U);
    if (keeps_time && next < wakes)
        (void) pthread_cond_signal(&changed);
    for (; started && wanted > 0; wanted--)
        started = start_thread();
    flk_mutex_unlock(&mutex);
    return started ? 0 : -EAGAIN;
}

/* ---- The list of leases ---------------------------------------------------------------------- */

/* Caller holds the mutex.  NULL: there is no such lease. */
static struct renewal *find(uint64_t number)
{
    for (struct link *link = renewals.first; link != NULL; link = link->next)
        if (of_link(link)->number == number)
            return of_link(link);
    return NULL;
}

/* Returns memory for a lease.  NULL: there is none. */
static struct renewal *allocate(void)
{
    struct link *link;

    flk_mutex_lock(&mutex);
    link = spare.first;
    if (link != NULL)
        flk_list_remove(&spare, link);
    flk_mutex_unlock(&mutex);
    return link != NULL ? of_link(link) : malloc(sizeof(struct renewal));
}

/* Puts the lease on the list, and opens its waitable with the guard held, so that no fork comes between. */
static int add(struct renewal *renewal)
{
    int rc;

    flk_guard_lock();
    rc = flk_wakeup_fd_open(&renewal->ends);
    if (rc == 0) {
        flk_mutex_lock(&mutex);
        renewal->number = ++last_number;
        flk_list_add(&renewals, &renewal->link);
        flk_mutex_unlock(&mutex);
    }
    flk_guard_unlock();
    return rc;
}

int flk_renewal_begin(const struct lease_terms *terms, uint64_t *number)
{
    struct renewal *renewal;
    int64_t next;
    int rc = prepare();

    if (rc != 0)
        return rc;
    renewal = allocate();
    if (renewal == NULL)
        return -ENOMEM;
    *renewal = (struct renewal) { .terms = *terms, .renewed = terms->began, .modified = terms->modified };
    next = flk_now() + interval_of(renewal) - (flk_boot_now() - terms->began);
    renewal->next = next;
    rc = add(renewal);
    if (rc != 0) {
        free(renewal);
        return rc;
    }
    *number = renewal->number;
    rc = ensure_threads(next);
    if (rc != 0) {
        (void) flk_renewal_pause(*number);
        flk_renewal_end(*number);
    }
    return rc;
}

enum loss flk_renewal_pause(uint64_t number)
{
    struct renewal *renewal;
    enum loss loss = LOSS_NONE;

    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL) {
        renewal->paused = true;
        while (renewal->busy)
            (void) pthread_cond_wait(&unbusy, &mutex.native);
        (void) time_left(renewal);
        loss = renewal->loss;
    }
    flk_mutex_unlock(&mutex);
    return loss;
}

void flk_renewal_resume(uint64_t number)
{
    struct renewal *renewal;

    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL) {
        renewal->paused = false;
        if (renewal->loss == LOSS_NONE)
            renewal->next = flk_now();
        (void) pthread_cond_signal(&changed);
    }
    flk_mutex_unlock(&mutex);
}

/* Closes the waitable with the guard held: a fork in between would give the child a copy that nothing closes. */
void flk_renewal_end(uint64_t number)
{
    struct renewal *renewal;

    flk_guard_lock();
    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL)
        flk_list_remove(&renewals, &renewal->link);
    if (keeps_time && renewals.first == NULL && wakes - IDLE_NS > flk_now())
        (void) pthread_cond_signal(&changed); /* so that it does not sleep on until the renewal that was due */
    flk_mutex_unlock(&mutex);
    if (renewal != NULL)
        flk_wakeup_fd_close(&renewal->ends);
    flk_guard_unlock();
    free(renewal);
}

/* ---- Questions ------------------------------------------------------------------------------- */

enum loss flk_renewal_loss(uint64_t number)
{
    struct renewal *renewal;
    enum loss loss = LOSS_NONE;

    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL) {
        (void) time_left(renewal);
        loss = renewal->loss;
    }
    flk_mutex_unlock(&mutex);
    return loss;
}

int64_t flk_renewal_left(uint64_t number)
{
    struct renewal *renewal;
    int64_t left = 0;

    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL)
        left = time_left(renewal);
    flk_mutex_unlock(&mutex);
    return left;
}

filelock_waitable flk_renewal_waitable(uint64_t number)
{
    struct renewal *renewal;
    filelock_waitable waitable = FILELOCK_NO_WAITABLE;

    flk_mutex_lock(&mutex);
    renewal = find(number);
    if (renewal != NULL && flk_wakeup_fd_is_ours(&renewal->ends)) {
        (void) time_left(renewal);
        waitable = renewal->ends.fd[0];
    }
    flk_mutex_unlock(&mutex);
    return waitable;
}

/* ---- The end of the process, and fork --------------------------------------------------------- */

/*
 * Ends the threads, each of which joins the one that left before it.  Memory checkers then see their memory given back,
 * and their code may be unmapped.
 */
static void end_threads(void)
{
    pthread_t last;
    bool left;

    flk_mutex_lock(&mutex);
    dismissed = true;
    if (prepared) {
        (void) pthread_cond_signal(&changed);
        (void) pthread_cond_broadcast(&work);
    }
    while (alive > 0)
        (void) pthread_cond_wait(&gone, &mutex.native);
    dismissed = false;
    left = leaver.left;
    last = leaver.thread;
    leaver.left = false;
    flk_mutex_unlock(&mutex);
    if (left)
        (void) pthread_join(last, NULL);
}

/* Holds the mutex during a fork, so that the child finds the list whole. */
static bool before_fork(void)
{
    flk_mutex_lock(&mutex);
    return false;
}

static void parent_forked(void)
{
    flk_mutex_unlock(&mutex);
}

/*
 * Gives up the leases in the child, which has no thread that renews.  locked: before_fork() was called, and the forking
 * thread holds the mutex.
 */
static void child_forked(bool locked)
{
    struct link *link;

    while ((link = renewals.first) != NULL) {
        flk_wakeup_fd_close(&of_link(link)->ends);
        flk_list_remove(&renewals, link);
        flk_list_add(&spare, link);
    }
    keeps_time = dismissed = leaver.left = false;
    touchers.first = NULL;
    alive = on_their_way = 0;
    (void) pthread_cond_init(&unbusy, NULL);
    (void) pthread_cond_init(&gone, NULL);
    if (prepared) {
        flk_cond_init(&changed);
        flk_cond_init(&work);
    }
    if (locked)
        flk_mutex_unlock(&mutex);
    else
        flk_mutex_init(&mutex);
}

const struct subscriber flk_renewals_subscriber = {
    .process_ends = end_threads,
    .before_fork = before_fork,
    .parent_forked = parent_forked,
    .child_forked = child_forked,
};
