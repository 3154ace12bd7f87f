/* SPDX-License-Identifier: MIT
 *
 * Releases that do more than unlock: of a lock whose file is removed, and of a lock that relatives by fork hold as
 * well.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "os/holder.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "os/release.h"
#include "owner/openers.h"
#include "owner/sharing.h"
#include "system/file.h"
#include "system/guard.h"

/* Returns the descriptor if it can be written, or -1. */
static int writable(const struct os_lock *os)
{
    return (os->access & FILE_WRITES) != 0 ? os->fd : -1;
}

/* The whole file, which counts for a removal: other processes may hold other ranges of it. */
static const struct range whole = { 0, 0 };

/*
 * Removes the file if no other process holds any of it or waits for it, and returns true then.  A waiter that does not
 * use libfilelock may not look at the path again, and would run beside the next holder.  fd may be locked, in any mode,
 * or not.  The attempt may lose a shared lock, so the caller has to be about to unlock.
 */
static bool remove_if_sole(const struct target *target, const struct os_lock *os)
{
    if (os->smb) /* a lock that the descriptor has would be in the way */
        (void) flk_backend_of(target)->unlock(os->fd, &whole);
    return flk_backend_of(target)->try(os->fd, &whole, FILELOCK_EXCLUSIVE) == 0 && !flk_file_is_wanted(os->fd) &&
           flk_file_remove_same(flk_os_file_path(target, os), flk_target_follows(target), &os->id) == 0;
}

/* Does what the last release entails.  Caller has locked the file by a descriptor that no other process shares. */
static void clean_after_last(const struct target *target, const struct os_lock *fresh, bool recorded)
{
    if (recorded)
        (void) flk_file_write(fresh->fd, "", 0);
    if ((target->flags & FILELOCK_UNLINK) != 0)
        (void) remove_if_sole(target, fresh);
}

/*
 * Cleans up if no relative holds the lock any more; else names another holder in the record.  Opens the file anew: the
 * old open file is shared by the relatives, and could not tell whether any of them still holds the lock.
 */
static void finish_shared(const struct target *target, const struct os_lock *was, const struct shared_lock *lock)
{
    unsigned wishes = FILE_EXISTING | FILE_WRITE_ONLY_OK | (flk_target_follows(target) ? FILE_FOLLOW : 0);
    struct os_lock fresh;

    if (was->recorded || flk_backend_of(target)->access_counts)
        wishes |= FILE_TO_WRITE;
    if (!flk_backend_of(target)->access_counts)
        wishes |= FILE_READ_ONLY_OK;
    (void) flk_os_file_init(target, &fresh);
    fresh.resolved = was->resolved;
    fresh.smb = was->smb;
    if (flk_file_open(flk_os_file_path(target, was), wishes, 0, &fresh.fd, &fresh.access) != 0)
        return;
    if (flk_file_identity(fresh.fd, &fresh.id) == 0 && flk_file_same(&fresh.id, &was->id)) {
        if (flk_backend_of(target)->try(fresh.fd, &whole, FILELOCK_EXCLUSIVE) == 0)
            clean_after_last(target, &fresh, was->recorded);
        else if (was->recorded)
            (void) flk_sharing_name_holder(fresh.fd, writable(&fresh), lock, was->last_forker);
    }
    (void) flk_backend_of(target)->unlock(fresh.fd, &whole);
    flk_file_close(fresh.fd);
}

int flk_os_lock_release_shared(const struct target *target, struct os_lock *os)
{
    struct os_lock was = *os;
    struct shared_lock lock = { .listed = false };
    int rc = was.recorded ? flk_shared_lock_of(os->fd, &os->id, &lock) : 0;

    if (rc == 0 && was.recorded)
        rc = flk_sharing_name_holder(os->fd, writable(os), &lock, os->last_forker);
    if (rc < 0)
        return rc;
    flk_fork_hold(); /* a child that is forked now would have a copy of the descriptor that is opened here */
    flk_os_file_forget(os);
    if (was.recorded || (target->flags & FILELOCK_UNLINK) != 0)
        finish_shared(target, &was, &lock);
    flk_fork_release();
    return 0;
}

int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os)
{
    bool removed = remove_if_sole(target, os);
    int rc = flk_backend_of(target)->unlock(os->fd, &whole);

    /* If the unlock fails, that does not matter: no process will ask for the removed file, and closing it unlocks. */
    if (removed) {
        flk_os_file_forget(os);
        return 0;
    }
    return rc > 0 ? -EAGAIN : rc;
}
