/* SPDX-License-Identifier: MIT
 *
 * The renewals of POSIX: one thread for all leases, with all signals blocked.
 *
 * The thread is there while a lease is held, and a moment longer.  It holds no lock of the library while it looks at
 * files: a file server may hang.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

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

/* End the thread after it had no lease for this long. */
#define IDLE_NS 500000000

/* A lease that is held.  All members are under the mutex, but the terms never change. */
struct renewal {
    struct link link;
    uint64_t number;
    struct lease_terms terms;
    struct wakeup_fd ends; /* readable once the lease is lost */
    int64_t renewed;       /* ns of flk_boot_now(), before the last renewal that succeeded began */
    int64_t next;          /* ns of flk_now(): when the next renewal is due */
    int64_t modified;      /* the marker's time of writing; only the thread uses it */
    unsigned absent;       /* how many times running the marker was absent */
    enum loss loss;
    bool paused;
    bool busy; /* the thread looks at its files, and does not hold the mutex */
};

/* Protects all that follows.  It is taken after the guard and after a handle's mutex. */
static struct mutex mutex = MUTEX_INIT;
static struct list renewals;
static struct list spare; /* what a child has from its parent: memory cannot be given back there */
static uint64_t last_number;

static bool prepared;     /* the condition is initialized, and the size of the stack is known */
static size_t stack_size;
static pthread_cond_t changed; /* there is another lease, or the thread is dismissed */
static pthread_cond_t unbusy = PTHREAD_COND_INITIALIZER;

static bool runs;         /* a thread renews */
static bool dismissed;    /* it has to end, and will be joined */
static pthread_t runner;  /* that thread */
static unsigned on_their_way; /* threads that were started, and have not got the mutex yet */
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

/* The thread that ended last of its own accord, which is to be joined: its code may be unmapped after that. */
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

/* ---- The thread ------------------------------------------------------------------------------ */

static struct renewal *of_link(struct link *link)
{
    return LINK_OWNER(link, struct renewal, link);
}

/* Returns the lease whose renewal is due first.  NULL: none is to be renewed. */
static struct renewal *first_due(void)
{
    struct renewal *first = NULL;

    for (struct link *link = renewals.first; link != NULL; link = link->next) {
        struct renewal *renewal = of_link(link);

        if (!renewal->paused && renewal->next != FLK_NEVER && (first == NULL || renewal->next < first->next))
            first = renewal;
    }
    return first;
}

/* Renews until the thread is dismissed, or has had no lease for a while. */
static void renew_all(void)
{
    int rc = 0;

    while (!dismissed && (rc == 0 || renewals.first != NULL)) {
        struct renewal *due = first_due();
        int64_t now = flk_now();

        if (due != NULL && due->next <= now) {
            renew(due);
            rc = 0;
        } else {
            rc = flk_cond_wait_until(&changed, &mutex, due != NULL ? due->next : now + IDLE_NS);
        }
    }
}

/* Notes that the calling thread ends.  Returns true and the thread that ended before, which the caller joins. */
static bool note_leaving(pthread_t *before)
{
    bool left = leaver.left;

    *before = leaver.thread;
    leaver.left = true;
    leaver.thread = pthread_self();
    return left;
}

/* Runs in a thread of its own.  If another thread renews already, this thread ends at once. */
static void *run(void *arg)
{
    pthread_t before;
    bool left = false;

    flk_mutex_lock(&mutex);
    on_their_way--;
    (void) pthread_cond_signal(&arrived);
    if (!runs) {
        runs = true;
        runner = pthread_self();
        renew_all();
        runs = false;
    }
    if (!dismissed || !pthread_equal(runner, pthread_self()))
        left = note_leaving(&before);
    flk_mutex_unlock(&mutex);
    if (left)
        (void) pthread_join(before, NULL);
    return arg;
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
        stack_size = size;
        prepared = true;
    }
    flk_mutex_unlock(&mutex);
    return 0;
}

/*
 * Sees to it that a thread renews.  Starts one without the mutex, since that may wait for the loader.  Several callers
 * may do so at once: all threads but the first end.  Returns 0 or -errno.
 */
static int ensure_thread(void)
{
    pthread_t thread;
    bool needed;
    int error;

    flk_mutex_lock(&mutex);
    needed = !runs;
    if (needed)
        on_their_way++;
    (void) pthread_cond_signal(&changed);
    flk_mutex_unlock(&mutex);
    if (!needed)
        return 0;
    error = flk_worker_start(&thread, NULL, stack_size, run, NULL);
    if (error == 0)
        return 0;
    flk_mutex_lock(&mutex);
    on_their_way--;
    (void) pthread_cond_signal(&arrived);
    flk_mutex_unlock(&mutex);
    return -error;
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
    int rc = prepare();

    if (rc != 0)
        return rc;
    renewal = allocate();
    if (renewal == NULL)
        return -ENOMEM;
    *renewal = (struct renewal) { .terms = *terms, .renewed = terms->began, .modified = terms->modified };
    renewal->next = flk_now() + interval_of(renewal) - (flk_boot_now() - terms->began);
    rc = add(renewal);
    if (rc != 0) {
        free(renewal);
        return rc;
    }
    *number = renewal->number;
    rc = ensure_thread();
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

/* Joins the threads: memory checkers then see their memory given back, and their code may be unmapped. */
static void end_threads(void)
{
    pthread_t last = pthread_self();
    bool left, running;

    flk_mutex_lock(&mutex);
    while (on_their_way > 0)
        (void) pthread_cond_wait(&arrived, &mutex.native);
    running = runs;
    if (running) {
        pthread_t thread = runner;

        dismissed = true;
        (void) pthread_cond_signal(&changed);
        flk_mutex_unlock(&mutex);
        (void) pthread_join(thread, NULL);
        flk_mutex_lock(&mutex);
        dismissed = false;
    }
    left = leaver.left;
    if (left)
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

/* Gives up the leases in the child, which has no thread that renews. */
static void child_forked(bool forewarned)
{
    struct link *link;

    while ((link = renewals.first) != NULL) {
        flk_wakeup_fd_close(&of_link(link)->ends);
        flk_list_remove(&renewals, link);
        flk_list_add(&spare, link);
    }
    runs = dismissed = leaver.left = false;
    on_their_way = 0;
    (void) pthread_cond_init(&unbusy, NULL);
    (void) pthread_cond_init(&arrived, NULL);
    if (prepared)
        flk_cond_init(&changed);
    if (forewarned)
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
