/* SPDX-License-Identifier: MIT
 *
 * Acquiring several locks at once: all or none.
 *
 * Callers that name the same locks in different orders never wait for each other.  A caller that is refused a lock
 * releases all locks that it has got, and waits for the refused lock while it holds none.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "handle/call.h"
#include "handle/handle.h"
#include "handle/release.h"
#include "kind.h"
#include "outcome.h"
#include "wait/await.h"
#include "wait/limits.h"

struct several {
    struct filelock *const *locks;
    size_t count;
    enum filelock_mode mode;
    struct limits limits;  /* of all of it */
    struct lock_key *keys; /* room for as many as there are locks */
};

/* ---- Arguments ------------------------------------------------------------------------------ */

static bool stands_twice(struct filelock *const *locks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (locks[i] == locks[j])
                return true;
    return false;
}

static bool all_can(struct filelock *const *locks, size_t count, enum filelock_mode mode)
{
    for (size_t i = 0; i < count; i++)
        if (locks[i] == NULL || (mode == FILELOCK_SHARED && (locks[i]->target.kind->abilities & CAN_SHARE) == 0))
            return false;
    return true;
}

static bool are_valid(struct filelock *const *locks, size_t count, enum filelock_mode mode, int64_t timeout_ms)
{
    return locks != NULL && count > 0 && flk_valid_request(mode, timeout_ms) && all_can(locks, count, mode) &&
           !stands_twice(locks, count);
}

/* Finds what each lock names now.  A lock whose file does not exist has an empty key. */
static void find_files(const struct several *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct target *target = &all->locks[i]->target;

        if (target->kind->target_key(target, &all->keys[i]) != 0)
            all->keys[i].size = 0;
    }
}

static bool finds_same_file(const struct several *all, size_t i, size_t j)
{
    return all->keys[i].size != 0 && flk_key_same(&all->keys[i], &all->keys[j]);
}

/*
 * Look this often at two files that seem to be one.  A marker's number may pass to another marker between two looks, but
 * not to and fro between all of them.
 */
#define LOOKS 8

static bool is_same_file(const struct several *all, size_t i, size_t j)
{
    bool same = finds_same_file(all, i, j);

    for (int look = 1; same && look < LOOKS; look++) {
        find_files(all);
        same = finds_same_file(all, i, j);
    }
    return same;
}

static bool share_a_file(const struct several *all)
{
    find_files(all);
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_file(all, i, j))
                return true;
    return false;
}

/* ---- Acquiring ------------------------------------------------------------------------------ */

/* Returns the milliseconds that are left, rounded up so that no timeout is early. */
static int64_t ms_left(const struct limits *limits)
{
    int64_t left = flk_limits_left(limits);

    return left == FLK_NEVER ? FILELOCK_FOREVER : left / 1000000 + (left % 1000000 > 0);
}

/*
 * Releases `had` locks, in the order that begins with `first`.  A lock that cannot be released is given up: the caller
 * is told that it holds none.
 */
static void let_go(const struct several *all, size_t first, size_t had)
{
    for (size_t i = 0; i < had; i++) {
        struct filelock *lock = all->locks[(first + i) % all->count];

        if (filelock_release(lock) != 0)
            flk_give_up(lock);
    }
}

/*
 * Waits for the lock at *first, and tries the others.  Returns
 *   0              all are held
 *   CONTENDED      a lock was refused, and is *first now; none is held
 *   an error       none is held
 */
static enum outcome try_all_from(const struct several *all, size_t *first)
{
    size_t had = 0;
    int rc = 0;

    while (rc == 0 && had < all->count) {
        int64_t timeout_ms = had == 0 ? ms_left(&all->limits) : FILELOCK_TRY;

        rc = filelock_acquire(all->locks[(*first + had) % all->count], all->mode, timeout_ms);
        if (rc == 0)
            had++;
    }
    if ((rc == 0 || rc == -ETIMEDOUT) && share_a_file(all))
        rc = -EDEADLK;
    if (rc == 0)
        return 0;
    let_go(all, *first, had);
    if (rc != -ETIMEDOUT || had == 0)
        return rc;
    *first = (*first + had) % all->count;
    return CONTENDED;
}

struct search {
    const struct several *all;
    size_t first;
};

static enum outcome next_pass(void *arg)
{
    struct search *search = arg;

    return try_all_from(search->all, &search->first);
}

/* Notes the caller's request: filelock_describe() has to speak of that, not of the last pass. */
static void note_requests(const struct several *all)
{
    for (size_t i = 0; i < all->count; i++)
        flk_asked_acquire(all->locks[i], all->mode, all->limits.timeout_ms);
}

/* Naps from the second pass on: two callers that refuse each other meet again, unless they nap for different times. */
static int acquire_all(const struct several *all)
{
    struct search search = { all, 0 };
    int rc = share_a_file(all) ? -EDEADLK : next_pass(&search);

    if (rc == CONTENDED && all->limits.timeout_ms != FILELOCK_TRY)
        rc = next_pass(&search);
    if (rc == CONTENDED && all->limits.timeout_ms != FILELOCK_TRY)
        rc = flk_retry(next_pass, &search, &all->limits);
    return rc == CONTENDED ? -ETIMEDOUT : rc;
}

int filelock_acquire_several(struct filelock *const *locks, size_t count, enum filelock_mode mode, int64_t timeout_ms)
{
    struct several all = { .locks = locks, .count = count, .mode = mode };
    int rc;

    if (!are_valid(locks, count, mode, timeout_ms))
        return -EINVAL;
    all.keys = calloc(count, sizeof(*all.keys));
    if (all.keys == NULL)
        return -ENOMEM;
    all.limits = flk_handle_limits(locks[0], timeout_ms);
    flk_limits_start(&all.limits);
    rc = acquire_all(&all);
    free(all.keys);
    if (rc != 0)
        note_requests(&all);
    return rc;
}

int filelock_release_several(struct filelock *const *locks, size_t count)
{
    int first = 0;

    if (locks == NULL || count == 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int rc = filelock_release(locks[i]);

        if (first == 0)
            first = rc;
    }
    return first;
}
