/* SPDX-License-Identifier: MIT
 *
 * Fork, by the handlers of pthread_atfork(3), and the guard that goes with it.
 *
 * vfork(2), posix_spawn(3) and _Fork(3) call no handlers.  A program that is executed soon is
 * served by O_CLOEXEC; other uses of them are out of reach of any library.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "platform.h"
#include "posix/cond.h"
#include "posix/fork.h"
#include "posix/helper.h"
#include "posix/pipe.h"
#include "process_id.h"

#define OPENING_NS 100000000 /* for which a fork waits */

static struct mutex guard = MUTEX_INIT;

/* Under the guard. */
static unsigned epoch;   /* the number of forks */
static unsigned opening; /* the number of threads that are */
static unsigned forking; /* the number of threads that wait for those: no other begins meanwhile */
static pthread_cond_t none_opening;
static pthread_cond_t none_forking;

static bool prepared;   /* by before(), for the fork that goes on */
static int ready[2];    /* a pipe that the child closes when it is ready; -1: nobody waits for that */

static const struct platform_events *tell;

void flk_guard_lock(void)
{
    flk_mutex_lock(&guard);
}

void flk_guard_unlock(void)
{
    flk_mutex_unlock(&guard);
}

unsigned flk_opening(void)
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

bool flk_opened(unsigned before)
{
    flk_guard_lock();
    if (--opening == 0)
        (void) pthread_cond_broadcast(&none_opening);
    return epoch == before;
}

/* Not for ever: an open(2) may hang.  Then the epoch tells. */
static void await_openers(void)
{
    int64_t deadline;
    int rc = 0;

    if (opening == 0)
        return;
    deadline = flk_now() + OPENING_NS;
    forking++;
    while (opening > 0 && rc == 0)
        rc = flk_cond_wait_until(&none_opening, &guard, deadline);
    if (--forking == 0)
        (void) pthread_cond_broadcast(&none_forking);
}

static void before(void)
{
    int shield = flk_thread_shield();

    flk_guard_lock();
    await_openers();
    flk_thread_unshield(shield);
    epoch++;
    prepared = true;
    if (!tell->before_fork() || flk_pipe(ready) != 0)
        ready[0] = ready[1] = -1;
}

/* Until the child has closed its end, be it by dying. */
static void await_child(void)
{
    int shield = flk_thread_shield();
    char none;

    (void) close(ready[1]);
    while (read(ready[0], &none, 1) < 0 && errno == EINTR)
        ;
    (void) close(ready[0]);
    flk_thread_unshield(shield);
}

/* A fork that had begun when the first handlers were registered has no before() on musl, but the others. */
static void in_parent(void)
{
    if (!prepared)
        return;
    prepared = false;
    if (ready[0] >= 0)
        await_child();
    tell->parent_forked();
    flk_guard_unlock();
}

static void init_conditions(void)
{
    flk_cond_init(&none_opening);
    flk_cond_init(&none_forking);
}

static void in_child(void)
{
    if (!prepared) {
        flk_mutex_init(&guard);
        flk_guard_lock();
        ready[0] = ready[1] = -1;
    }
    prepared = false;
    flk_process_forked();
    tell->child_forked();
    flk_wakeups_forked();
    flk_watches_forked();
    flk_helpers_forked();
    opening = forking = 0;
    init_conditions();
    if (ready[0] >= 0) {
        (void) close(ready[0]);
        (void) close(ready[1]);
    }
    flk_guard_unlock();
}

int flk_fork_handlers(const struct platform_events *events)
{
    tell = events;
    init_conditions();
    return pthread_atfork(before, in_parent, in_child);
}
