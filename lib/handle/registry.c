/* SPDX-License-Identifier: MIT
 *
 * Finding handles on the shelves, so that handles at rest cost nothing.
 */
#include "config.h"

#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/registry.h"
#include "handle/shelf.h"
#include "kind.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/thread.h"
#include "wait/attend.h"
#include "wait/watch.h"

static size_t handles; /* under the guard */

void flk_registry_add(struct filelock *lock)
{
    flk_guard_lock();
    handles++;
    flk_mutex_lock(&lock->shelf->mutex);
    flk_shelf_put(lock);
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_guard_unlock();
}

void flk_registry_remove(struct filelock *lock)
{
    bool last;

    flk_guard_lock();
    last = --handles == 0;
    flk_mutex_lock(&lock->shelf->mutex);
    flk_shelf_take(lock);
    flk_mutex_unlock(&lock->shelf->mutex);
    flk_guard_unlock();
    if (last) {
        flk_watch_drop_spare();
        flk_attend_rest();
    }
}

struct filelock *flk_registry_find_own(struct shelf *shelf,
                                       bool (*will_do)(const struct filelock *lock, const void *arg), const void *arg)
{
    for (struct filelock *lock = flk_shelf_first(&shelf->active); lock != NULL; lock = flk_shelf_after(lock))
        if (!flk_any_thread(lock) && flk_is_mine(lock) && will_do(lock, arg))
            return lock;
    return NULL;
}

/* ---- A thread that would wait for itself --------------------------------------------------- */

static bool overlap(const struct range *a, const struct range *b)
{
    bool a_first = a->start <= b->start;
    const struct range *low = a_first ? a : b, *high = a_first ? b : a;

    return low->length == 0 || high->start - low->start < low->length;
}

/* The lock for which a thread is about to wait. */
struct wish {
    const struct filelock *lock;
    enum filelock_mode mode;
    struct lock_key key;
};

/* True if this handle, which the calling thread holds, has locked what the wish is for. */
static bool blocks(const struct filelock *held, const void *arg)
{
    const struct wish *wish = arg;
    struct lock_key locked;

    if (held == wish->lock || held->target.kind != wish->lock->target.kind)
        return false;
    if (wish->mode != FILELOCK_EXCLUSIVE && held->mode != FILELOCK_EXCLUSIVE)
        return false;
    held->target.kind->locked_key(held->state, &locked);
    return flk_key_same(&locked, &wish->key) && overlap(&held->target.range, &wish->lock->target.range);
}

bool flk_registry_deadlock(const struct filelock *lock, enum filelock_mode mode)
{
    struct wish wish = { .lock = lock, .mode = mode };
    bool found = false;

    if (lock->target.kind->target_key(&lock->target, &wish.key) != 0)
        return false;
    for (struct shelf *shelf = flk_shelf_next(NULL); shelf != NULL && !found; shelf = flk_shelf_next(shelf)) {
        flk_mutex_lock(&shelf->mutex);
        found = flk_registry_find_own(shelf, blocks, &wish) != NULL;
        flk_mutex_unlock(&shelf->mutex);
    }
    return found;
}
