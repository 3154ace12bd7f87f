/* SPDX-License-Identifier: MIT
 *
 * Handles at the end of a thread, at the end of the process, and at a fork.
 */
#include "config.h"

#include "handle/attempt.h"
#include "handle/ends.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/registry.h"
#include "handle/release.h"
#include "handle/shelf.h"
#include "kind.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "system/thread.h"

/* ---- Threads and processes that end ---------------------------------------------------------------------- */

static bool has_abilities(const struct filelock *lock, const void *arg)
{
    unsigned abilities = *(const unsigned *) arg;

    return (lock->target.kind->abilities & abilities) == abilities;
}

/*
 * Makes the turn of a lock that this thread holds BUSY, so that no other thread frees the handle, and returns the
 * handle.  NULL: the shelf has no such lock.
 */
static struct filelock *claim_own(struct shelf *shelf, unsigned abilities)
{
    struct filelock *lock;

    flk_mutex_lock(&shelf->mutex);
    lock = flk_registry_find_own(shelf, has_abilities, &abilities);
    if (lock != NULL)
        flk_gate_reenter(lock);
    flk_mutex_unlock(&shelf->mutex);
    return lock;
}

static void abandon_all(unsigned abilities)
{
    struct filelock *lock;

    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL; shelf = flk_shelf_next(shelf))
        while ((lock = claim_own(shelf, abilities)) != NULL)
            flk_end_hold(lock);
}

static void thread_ended(void)
{
    abandon_all(0);
}

/*
 * Gives up only locks that outlive the process.  The kernel unlocks the other kinds, when no thread runs any more.
 * Locks of other threads are left alone: those threads may still be at work on what a lock protects.
 */
static void process_ends(void)
{
    abandon_all(OUTLIVES_PROCESS);
}

/* ---- Fork ---------------------------------------------------------------------------------- */

static bool fork_shares(const struct filelock *lock)
{
    return (lock->target.flags & FILELOCK_FORK_SHARE) != 0;
}

/* True if callers hold the lock: a child has no level of an attempt. */
static bool is_held(const struct filelock *lock)
{
    return flk_gate_is_held(lock) && lock->depth > 0;
}

/* Prepares the active handles of a shelf.  True if the lock of a handle that the child shares outlives its process. */
static bool prepare_shared(const struct shelf *shelf)
{
    bool outlives = false;

    for (struct filelock *lock = flk_shelf_first(&shelf->active); lock != NULL; lock = flk_shelf_after(lock)) {
        if (!fork_shares(lock))
            continue;
        if (is_held(lock))
            lock->target.kind->before_fork(&lock->target, lock->state);
        /* A thread that is releasing it takes the child for a holder until the child has given up its copies. */
        outlives = outlives || (lock->target.kind->abilities & OUTLIVES_PROCESS) != 0;
    }
    return outlives;
}

/*
 * Takes the mutexes of all shelves.  So no thread gets or ends a turn during a fork, and no handle that the child goes
 * on using is caught between two states.  True if the parent has to wait: a lock that names its holder must name the
 * child before the parent can exit.
 */
static bool before_fork(void)
{
    bool outlives = false;

    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL; shelf = flk_shelf_next(shelf)) {
        flk_mutex_lock(&shelf->mutex);
        outlives = prepare_shared(shelf) || outlives;
    }
    return outlives;
}

static void parent_forked(void)
{
    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL; shelf = flk_shelf_next(shelf))
        flk_mutex_unlock(&shelf->mutex);
}

/* Adapts a handle in the child.  The forking thread is its only thread, so it holds what is held, and none waits. */
static void adapt_to_child(struct filelock *lock)
{
    bool holds = fork_shares(lock) && is_held(lock);

    if (holds)
        flk_thread_watch_end();
    else
        lock->depth = 0;
    lock->unclaimed = 0;
    lock->converting = false;
    lock->announcements = NULL;
    lock->beginning = false;
    flk_attempt_forget(lock);
    lock->target.kind->after_fork(&lock->target, lock->state, holds);
    flk_gate_forked(lock, holds);
}

static void adapt_all(const struct list *list)
{
    for (struct filelock *lock = flk_shelf_first(list), *next; lock != NULL; lock = next) {
        next = flk_shelf_after(lock);
        adapt_to_child(lock);
    }
}

/* Does not even read handles that are at rest and not open: each page of them would cost the child time, or a copy. */
static void child_forked(bool prepared)
{
    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL; shelf = flk_shelf_next(shelf)) {
        adapt_all(&shelf->resting);
        adapt_all(&shelf->active);
        if (prepared)
            flk_mutex_unlock(&shelf->mutex);
        else
            flk_mutex_init(&shelf->mutex);
    }
}

const struct subscriber flk_handles_subscriber = {
    .thread_ended = thread_ended,
    .process_ends = process_ends,
    .before_fork = before_fork,
    .parent_forked = parent_forked,
    .child_forked = child_forked,
};
