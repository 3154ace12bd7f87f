/* SPDX-License-Identifier: MIT
 *
 * Releases that are more than an unlock: of a lock whose file goes with it, and of one that relatives by fork hold
 * as well.
 */
#include "config.h"

#include <errno.h>

#include "backend.h"
#include "os_lock.h"
#include "posix/heirs.h"

static bool follows(const struct target *target)
{
    return (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0;
}

/* Others may hold other ranges of a file: it is theirs as well. */
static const struct range whole = { 0, 0 };

/*
 * Removes the file if nobody else holds any of it.  fd is locked, in whatever mode, or not; a shared lock
 * may be lost by the attempt, which only somebody about to unlock can afford.
 */
static bool remove_if_sole(const struct target *target, const struct os_lock *os)
{
    return target->kind->backend->try(os->fd, &whole, FILELOCK_EXCLUSIVE) == 0 &&
           flk_file_remove_same(target->path, follows(target), &os->id) == 0;
}

/* What the last release entails.  The file is locked by way of a descriptor that nobody shares. */
static void clean(const struct target *target, const struct os_lock *fresh, bool recorded)
{
    if (recorded)
        (void) flk_file_write(fresh->fd, "", 0);
    if ((target->flags & FILELOCK_UNLINK) != 0)
        (void) remove_if_sole(target, fresh);
}

/* Our copy of the open file, which relatives share, could not tell whether any of them still holds the lock. */
static void settle(const struct target *target, const struct os_lock *was, const struct shared_lock *lock)
{
    unsigned wishes = FILE_EXISTING | (follows(target) ? FILE_FOLLOW : 0);
    struct os_lock fresh;

    flk_os_lock_init(target, &fresh);
    if (flk_file_open(target->path, wishes, 0, &fresh.fd, &fresh.writable) != 0)
        return;
    if (flk_file_identity(fresh.fd, &fresh.id) == 0 && flk_file_same(&fresh.id, &was->id)) {
        if (target->kind->backend->try(fresh.fd, &whole, FILELOCK_EXCLUSIVE) == 0)
            clean(target, &fresh, was->recorded);
        else if (was->recorded)
            (void) flk_heirs_name(fresh.fd, fresh.writable ? fresh.fd : -1, lock, was->sharer);
    }
    (void) target->kind->backend->unlock(fresh.fd, &whole);
    flk_file_close(fresh.fd);
}

int flk_os_lock_release_shared(const struct target *target, struct os_lock *os)
{
    struct os_lock was = *os;
    struct shared_lock lock = { .listed = false };
    unsigned epoch;
    int rc = was.recorded ? flk_shared_lock_of(os->fd, &os->id, &lock) : 0;

    if (rc == 0 && was.recorded)
        rc = flk_heirs_name(os->fd, os->writable ? os->fd : -1, &lock, os->sharer);
    if (rc < 0)
        return rc;
    epoch = flk_opening(); /* a child that is forked now would have a copy of what is open in there */
    flk_os_lock_forget(os);
    if (was.recorded || (target->flags & FILELOCK_UNLINK) != 0)
        settle(target, &was, &lock);
    (void) flk_opened(epoch);
    flk_guard_unlock();
    return 0;
}

int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os)
{
    bool removed = remove_if_sole(target, os);
    int rc = target->kind->backend->unlock(os->fd, &whole);

    /* Whatever the unlock says, nobody will ever ask for the file that is gone, and closing it unlocks. */
    if (removed) {
        flk_os_lock_forget(os);
        return 0;
    }
    return rc > 0 ? -EAGAIN : rc;
}
