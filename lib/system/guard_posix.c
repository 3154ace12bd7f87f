/* SPDX-License-Identifier: MIT
 *
 * The guard of POSIX.
 */
#include "config.h"

#include "system/clock.h"
#include "system/cond.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/thread.h"

/* Fork after 0.1 s even if threads still open files: an open(2) may hang. */
#define MAX_OPENING_NS 100000000

static struct mutex guard = MUTEX_INIT;

/* Under the guard. */
static unsigned epoch;   /* the number of forks */
static unsigned opening; /* the number of threads that open files */
static unsigned forking; /* the number of forks that wait for such threads: no other thread begins to open meanwhile */
static pthread_cond_t none_opening;
static pthread_cond_t none_forking;

/* A file that is being closed, on the stack of the thread that closes it. */
struct closing {
    struct closing *next;
    int fd;
    struct identity id;
};
static struct closing *closings;

void flk_guard_lock(void)
{
    flk_mutex_lock(&guard);
}

void flk_guard_unlock(void)
{
    flk_mutex_unlock(&guard);
}

void flk_guard_unlock_closing(int fd, const struct identity *id)
{
    struct closing me = { closings, fd, *id }, **link = &closings;

    closings = &me;
    flk_guard_unlock();
    flk_file_close(fd);
    flk_guard_lock();
    while (*link != &me)
        link = &(*link)->next;
    *link = me.next;
    flk_guard_unlock();
}

unsigned flk_open_begin(void)
{
    unsigned now;

    flk_guard_lock();
    while (forking > 0)
        (void) pthread_cond_wait(&none_forking, &guard.native);
    opening++;
    now = epoch;
    flk_guard_unlock();
    return now;
}

bool flk_open_commit(unsigned before)
{
    flk_guard_lock();
    if (--opening == 0)
        (void) pthread_cond_broadcast(&none_opening);
    return epoch == before;
}

void flk_fork_hold(void)
{
    (void) flk_open_begin();
}

void flk_fork_release(void)
{
    (void) flk_open_commit(0);
    flk_guard_unlock();
}

/* ---- Forks ---------------------------------------------------------------------------------- */

/* Waits for threads that open files.  If a thread takes too long, the epoch tells it of the fork. */
static void await_openers(void)
{
    int64_t deadline;
    int rc = 0;

    if (opening == 0)
        return;
    deadline = flk_now() + MAX_OPENING_NS;
    forking++;
    while (opening > 0 && rc == 0)
        rc = flk_cond_wait_until(&none_opening, &guard, deadline);
    if (--forking == 0)
        (void) pthread_cond_broadcast(&none_forking);
}

void flk_guard_before_fork(void)
{
    flk_guard_lock();
    await_openers();
    epoch++;
}

/* Closes the child's copies of files that threads of the parent were closing, unless the number has another file. */
static void close_copies(void)
{
    struct identity id;

    for (; closings != NULL; closings = closings->next)
        if (flk_file_identity(closings->fd, &id) == 0 && flk_file_same(&id, &closings->id))
            flk_file_close(closings->fd);
}

static void init_conditions(void)
{
    flk_cond_init(&none_opening);
    flk_cond_init(&none_forking);
}

void flk_guard_after_fork(bool taken)
{
    if (!taken) {
        flk_mutex_init(&guard);
        flk_guard_lock();
    }
    opening = forking = 0;
    init_conditions();
    close_copies();
}

void flk_guard_start(void)
{
    init_conditions();
}
