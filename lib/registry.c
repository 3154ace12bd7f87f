/* SPDX-License-Identifier: MIT
 *
 * The list of all handles, under the guard.  A handle's mutex is taken after the guard, and one at
 * a time but for the shared ones of before_fork.
 */
#include "config.h"

#include "registry.h"

static struct filelock *first;

void flk_registry_add(struct filelock *lock)
{
    flk_guard_lock();
    lock->previous = NULL;
    lock->next = first;
    if (first != NULL)
        first->previous = lock;
    first = lock;
    flk_guard_unlock();
}

void flk_registry_remove(struct filelock *lock)
{
    bool last;

    flk_guard_lock();
    if (lock->previous != NULL)
        lock->previous->next = lock->next;
    else
        first = lock->next;
    if (lock->next != NULL)
        lock->next->previous = lock->previous;
    last = first == NULL;
    flk_guard_unlock();
    if (last)
        flk_watches_rest();
}

/* ---- Waiting for oneself ------------------------------------------------------------------- */

static bool overlap(const struct range *a, const struct range *b)
{
    bool a_first = a->start <= b->start;
    const struct range *low = a_first ? a : b, *high = a_first ? b : a;

    return low->length == 0 || high->start - low->start < low->length;
}

/* Held by this very thread: a lock that belongs to its handle can be released by another one. */
static bool blocks(struct filelock *held, const struct filelock *lock, enum filelock_mode mode,
                   const struct identity *id)
{
    struct identity locked;
    bool answer;

    if (held == lock || held->target.kind != lock->target.kind || flk_any_thread(held))
        return false;
    flk_mutex_lock(&held->mutex);
    answer = flk_is_mine(held) && (mode == FILELOCK_EXCLUSIVE || held->mode == FILELOCK_EXCLUSIVE);
    if (answer)
        held->target.kind->locked(held->state, &locked);
    flk_mutex_unlock(&held->mutex);
    return answer && flk_file_same(&locked, id) && overlap(&held->target.range, &lock->target.range);
}

bool flk_registry_deadlock(const struct filelock *lock, enum filelock_mode mode)
{
    struct identity id;
    bool found = false;

    if (lock->target.kind->identify(&lock->target, &id) != 0)
        return false;
    flk_guard_lock();
    for (struct filelock *held = first; held != NULL && !found; held = held->next)
        found = blocks(held, lock, mode, &id);
    flk_guard_unlock();
    return found;
}

/* ---- Threads and processes that end ---------------------------------------------------------------------- */

/* Makes the turn of a lock that this thread holds its own to end: then nobody frees the handle. */
static bool claim(struct filelock *lock, unsigned abilities)
{
    bool mine;

    if (flk_any_thread(lock) || (lock->target.kind->abilities & abilities) != abilities)
        return false;
    flk_mutex_lock(&lock->mutex);
    mine = flk_is_mine(lock);
    if (mine)
        lock->turns.turn = TURN_BUSY;
    flk_mutex_unlock(&lock->mutex);
    return mine;
}

static struct filelock *claim_one(unsigned abilities)
{
    struct filelock *lock;

    flk_guard_lock();
    for (lock = first; lock != NULL && !claim(lock, abilities); lock = lock->next)
        ;
    flk_guard_unlock();
    return lock;
}

static void abandon_all(unsigned abilities)
{
    struct filelock *lock;

    while ((lock = claim_one(abilities)) != NULL)
        flk_abandon(lock);
}

static void thread_ended(void)
{
    abandon_all(0);
}

/*
 * What the kernel unlocks is left to it, which does so when no thread runs any more.  What other
 * threads hold is left as well: they may still be at work on what it protects.
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

/*
 * What the child goes on using must not be caught between two states.  A lock that tells who holds
 * it must tell of the child before the parent can exit.
 */
static bool before_fork(void)
{
    bool outlives = false;

    for (struct filelock *lock = first; lock != NULL; lock = lock->next) {
        if (!fork_shares(lock))
            continue;
        flk_mutex_lock(&lock->mutex);
        if (lock->turns.turn == TURN_HELD)
            lock->target.kind->sharing(&lock->target, lock->state);
        /* Who is just releasing it could mistake the child, until it has given up its copies, for one who holds. */
        if (lock->turns.turn != TURN_FREE)
            outlives = outlives || (lock->target.kind->abilities & OUTLIVES_PROCESS) != 0;
    }
    return outlives;
}

static void parent_forked(void)
{
    for (struct filelock *lock = first; lock != NULL; lock = lock->next)
        if (fork_shares(lock))
            flk_mutex_unlock(&lock->mutex);
}

/* The forking thread is the only one here, so what is held is its own, and nobody is waiting. */
static void child_forked(void)
{
    for (struct filelock *lock = first; lock != NULL; lock = lock->next) {
        bool holds = fork_shares(lock) && lock->turns.turn == TURN_HELD;

        /* One that before_fork has locked is this thread's; of another nobody knows whose it is. */
        if (fork_shares(lock))
            flk_mutex_unlock(&lock->mutex);
        else
            flk_mutex_init(&lock->mutex);
        lock->turns = (struct turns) { .turn = holds ? TURN_HELD : TURN_FREE, .owner = flk_thread_self() };
        if (holds)
            flk_thread_watch_end();
        else
            lock->depth = 0;
        lock->target.kind->forked(&lock->target, lock->state, holds);
    }
}

const struct platform_events flk_registry_events = {
    .thread_ended = thread_ended,
    .process_ends = process_ends,
    .before_fork = before_fork,
    .parent_forked = parent_forked,
    .child_forked = child_forked,
};
