/* SPDX-License-Identifier: MIT
 *
 * What can be asked of a handle, beside acquiring and releasing.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "handle.h"

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
    flk_mutex_lock(flk_mutex_of(lock));
    depth = flk_is_mine(lock) ? lock->depth : 0;
    flk_mutex_unlock(flk_mutex_of(lock));
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

int filelock_fd(const struct filelock *lock)
{
    int fd;

    if (lock == NULL)
        return -1;
    flk_mutex_lock(flk_mutex_of(lock));
    fd = flk_is_mine(lock) ? flk_file_descriptor(lock->target.kind->descriptor(lock->state)) : -1;
    flk_mutex_unlock(flk_mutex_of(lock));
    return fd;
}

int filelock_check(struct filelock *lock)
{
    struct identity locked, named;
    bool mine;
    int rc;

    if (lock == NULL)
        return -EINVAL;
    flk_mutex_lock(&lock->mutex);
    lock->request.what = ASKED_CHECK;
    mine = flk_is_mine(lock);
    if (mine)
        lock->target.kind->locked(lock->state, &locked);
    flk_mutex_unlock(&lock->mutex);
    if (!mine)
        return -EPERM;
    if (lock->target.path == NULL)
        return 0;
    rc = lock->target.kind->identify(&lock->target, &named);
    if (flk_file_names_nothing(rc))
        return -ESTALE;
    return rc != 0 ? rc : flk_file_same(&locked, &named) ? 0 : -ESTALE;
}

int filelock_owner(const struct filelock *lock, struct filelock_owner *owner)
{
    struct filelock_owner found = { .size = sizeof(found), .alive = -1 };
    size_t size;
    int rc, shield;

    if (lock == NULL || owner == NULL || owner->size < sizeof(found))
        return -EINVAL;
    flk_asked((struct filelock *) lock, ASKED_OWNER);
    shield = flk_thread_shield();
    rc = lock->target.kind->owner(&lock->target, &found);
    flk_thread_unshield(shield);
    if (rc != 0)
        return rc;
    size = owner->size;
    memcpy(owner, &found, sizeof(found));
    owner->size = size;
    return 0;
}

int filelock_break(struct filelock *lock)
{
    int rc, shield;

    if (lock == NULL)
        return -EINVAL;
    flk_asked(lock, ASKED_BREAK);
    if (lock->target.kind->break_marker == NULL)
        return -ENOTSUP;
    shield = flk_thread_shield();
    rc = lock->target.kind->break_marker(&lock->target);
    flk_thread_unshield(shield);
    return rc;
}
