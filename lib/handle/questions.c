/* SPDX-License-Identifier: MIT
 *
 * Questions about a handle, and breaking its lock.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "handle/call.h"
#include "handle/gate.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "kind.h"
#include "system/probes.h"
#include "system/thread.h"
#include "wait/limits.h"

#define STRING(x) #x
#define DOTTED(major, minor, patch) STRING(major) "." STRING(minor) "." STRING(patch)

const char *filelock_version(void)
{
    return DOTTED(FILELOCK_VERSION_MAJOR, FILELOCK_VERSION_MINOR, FILELOCK_VERSION_PATCH);
}

unsigned filelock_depth(const struct filelock *lock)
{
    unsigned depth;

    if (lock == NULL)
        return 0;
    flk_mutex_lock(&lock->shelf->mutex);
    depth = flk_is_mine(lock) ? lock->depth : 0;
    flk_mutex_unlock(&lock->shelf->mutex);
    return depth;
}

int filelock_held(const struct filelock *lock)
{
    return filelock_depth(lock) > 0;
}

const char *filelock_path(const struct filelock *lock)
{
    return lock != NULL ? lock->target.path : NULL;
}

int filelock_kind(const struct filelock *lock)
{
    return lock != NULL ? lock->target.kind->id : -EINVAL;
}

/* A copy of what a kind keeps in a handle. */
struct snapshot {
    int64_t state[FLK_MAX_STATE / sizeof(int64_t)];
};

/* Copies the state of a held lock, so that questions may take their time.  False: the lock is not the caller's. */
static bool copy_held(const struct filelock *lock, struct snapshot *copy)
{
    bool mine;

    flk_mutex_lock(&lock->shelf->mutex);
    mine = flk_is_mine(lock);
    if (mine)
        memcpy(copy->state, lock->state, lock->target.kind->state_size);
    flk_mutex_unlock(&lock->shelf->mutex);
    return mine;
}

int filelock_fd(const struct filelock *lock)
{
    struct snapshot held;

    return lock != NULL && copy_held(lock, &held) ? lock->target.kind->descriptor(held.state) : -1;
}

int filelock_check(struct filelock *lock)
{
    struct snapshot held;
    int rc, cancel_state;

    if (lock == NULL)
        return -EINVAL;
    flk_asked(lock, ASKED_CHECK);
    if (!copy_held(lock, &held))
        return -EPERM;
    cancel_state = flk_cancel_disable();
    rc = lock->target.kind->check(&lock->target, held.state);
    flk_cancel_restore(cancel_state);
    if (rc == -ESTALE)
        flk_probe_lost(lock, lock->target.path);
    return rc;
}

#define NS_PER_MS 1000000

int filelock_remaining(const struct filelock *lock, int64_t *ms)
{
    struct snapshot held;
    int64_t left = FLK_NEVER;
    int cancel_state;

    if (lock == NULL || ms == NULL)
        return -EINVAL;
    flk_asked((struct filelock *) lock, ASKED_REMAINING);
    if (!copy_held(lock, &held))
        return -EPERM;
    cancel_state = flk_cancel_disable();
    if (lock->target.kind->remaining != NULL)
        left = lock->target.kind->remaining(held.state);
    flk_cancel_restore(cancel_state);
    *ms = left == FLK_NEVER ? INT64_MAX : left / NS_PER_MS;
    return 0;
}

int filelock_token(const struct filelock *lock, uint64_t *token)
{
    struct snapshot held;

    if (lock == NULL || token == NULL)
        return -EINVAL;
    flk_asked((struct filelock *) lock, ASKED_TOKEN);
    if (lock->target.kind->token == NULL)
        return -ENOTSUP;
    return copy_held(lock, &held) ? lock->target.kind->token(held.state, token) : -EPERM;
}

filelock_waitable filelock_lost(const struct filelock *lock)
{
    filelock_waitable waitable;
    struct snapshot held;
    int cancel_state;

    if (lock == NULL || lock->target.kind->lost == NULL || !copy_held(lock, &held))
        return FILELOCK_NO_WAITABLE;
    cancel_state = flk_cancel_disable();
    waitable = lock->target.kind->lost(held.state);
    flk_cancel_restore(cancel_state);
    return waitable;
}

int filelock_owner(const struct filelock *lock, struct filelock_owner *owner)
{
    struct filelock_owner found = { .size = sizeof(found), .alive = -1 };
    size_t size;
    int rc, cancel_state;

    if (lock == NULL || owner == NULL || owner->size < sizeof(found))
        return -EINVAL;
    flk_asked((struct filelock *) lock, ASKED_OWNER);
    cancel_state = flk_cancel_disable();
    rc = lock->target.kind->owner(&lock->target, &found);
    flk_cancel_restore(cancel_state);
    if (rc != 0)
        return rc;
    size = owner->size;
    memcpy(owner, &found, sizeof(found));
    owner->size = size;
    return 0;
}

int filelock_break(struct filelock *lock)
{
    int rc, cancel_state;

    if (lock == NULL)
        return -EINVAL;
    flk_asked(lock, ASKED_BREAK);
    if (lock->target.kind->break_marker == NULL)
        return -ENOTSUP;
    cancel_state = flk_cancel_disable();
    rc = lock->target.kind->break_marker(&lock->target);
    flk_cancel_restore(cancel_state);
    return rc;
}
