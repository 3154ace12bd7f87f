/* SPDX-License-Identifier: MIT
 *
 * Changing the mode of an operating system's lock in place.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "os/backend.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "os/os_look.h"
#include "outcome.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/own_file.h"
#include "wait/await.h"
#include "wait/limits.h"
#include "wait/lookout.h"

/* Opens the locked file again, for writing too, and takes the shared lock by that descriptor.  Returns 0 or -errno. */
static int open_to_write(const struct target *target, const struct os_lock *os, struct os_lock *opened)
{
    unsigned wishes = FILE_EXISTING | FILE_TO_WRITE;
    int rc;

    if (flk_target_follows(target))
        wishes |= FILE_FOLLOW;
    rc = flk_file_open(flk_os_file_path(target, os), wishes, 0, &opened->fd, &opened->access);
    if (rc != 0)
        return rc > 0 ? -EAGAIN : rc;
    rc = flk_own_file(opened->fd, &os->id);
    if (rc == 0)
        rc = flk_backend_of(target)->try(opened->fd, &target->range, FILELOCK_SHARED);
    if (rc != 0)
        flk_file_close(opened->fd);
    return rc > 0 ? -EAGAIN : rc;
}

/*
 * Unlocks the old file, unless other processes share its lock.  A child that was just forked still has a copy, which
 * keeps the lock until the child runs.
 */
static void unlock_old(const struct target *target, const struct os_lock *os)
{
    if ((target->flags & (FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC)) == 0 && flk_own_file(os->fd, &os->id) == 0)
        (void) flk_backend_of(target)->unlock(os->fd, &target->range);
}

/*
 * Replaces a descriptor that can only be read, and so cannot have an exclusive lock.  The old descriptor is closed when
 * the new one has the shared lock, so that there is no moment without a lock.
 */
static int replace_descriptor(const struct target *target, struct os_lock *os)
{
    for (;;) {
        unsigned epoch = flk_open_begin();
        struct os_lock opened = *os;
        int rc = open_to_write(target, os, &opened), old = os->fd;
        bool kept = flk_open_commit(epoch);

        if (rc == 0 && kept) {
            unlock_old(target, os);
            *os = opened;
            flk_guard_unlock_closing(old, &os->id);
            return (target->flags & FILELOCK_KEEP_ON_EXEC) != 0 ? flk_file_inherit(os->fd, true) : 0;
        }
        flk_guard_unlock();
        if (rc != 0)
            return rc;
        /* A forked child has a copy, which stays open. */
        (void) flk_backend_of(target)->unlock(opened.fd, &target->range);
        flk_file_close(opened.fd);
    }
}

static bool can_write(const struct os_lock *os)
{
    return (os->access & FILE_WRITES) != 0;
}

/* A conversion to FILELOCK_EXCLUSIVE. */
struct raising {
    const struct target *target;
    struct os_lock *os;
};

/* Takes back the shared lock.  A call that was ended, or not taken over, may have got the exclusive lock. */
static void lower(void *arg)
{
    const struct raising *raising = arg;
    const struct os_lock *os = raising->os;

    if (flk_own_file(os->fd, &os->id) == 0)
        (void) flk_backend_of(raising->target)->convert(os->fd, &raising->target->range, FILELOCK_SHARED);
}

static enum outcome look_to_raise(void *arg, struct lookout *lookout)
{
    const struct raising *raising = arg;
    const struct target *target = raising->target;
    const struct os_lock *os = raising->os;
    int result = 0, rc = flk_own_file(os->fd, &os->id);
    bool called = flk_lookout_result(lookout, &result);

    if (rc == 0)
        rc = lookout->tried ? CONTENDED : flk_backend_of(target)->convert(os->fd, &target->range, FILELOCK_EXCLUSIVE);
    if (rc != CONTENDED)
        return rc;
    if (called && flk_os_is_refusal(result))
        return result;
    if (called || os->smb)
        flk_lookout_nap(lookout); /* a call would not help, or could not be ended */
    else
        flk_os_want_call(target, os, FILELOCK_EXCLUSIVE, lookout);
    return CONTENDED;
}

/* limits: NULL to convert without waiting. */
static enum outcome raise_within(const struct target *target, struct os_lock *os, const struct limits *limits)
{
    static const struct awaited awaited = { .look = look_to_raise, .withdraw = lower, .tried = true };
    struct raising raising = { target, os };
    enum outcome rc = flk_backend_of(target)->convert(os->fd, &target->range, FILELOCK_EXCLUSIVE);

    return rc == CONTENDED && limits != NULL ? flk_await(&awaited, &raising, limits) : rc;
}

static int convert_up(const struct target *target, struct os_lock *os, const struct limits *limits)
{
    const struct backend *backend = flk_backend_of(target);
    int rc = 0;

    if (backend->access_counts && os->ours && os->last_forker == 0 && !can_write(os))
        rc = replace_descriptor(target, os);
    if (rc == 0)
        rc = raise_within(target, os, limits);
    if (rc != 0)
        return rc;
    rc = flk_os_file_record(target, os);
    if (rc != 0)
        (void) backend->convert(os->fd, &target->range, FILELOCK_SHARED);
    return rc;
}

/* Removes the record while the lock is still exclusive, since a record names a single holder. */
static int convert_down(const struct target *target, struct os_lock *os)
{
    int rc;

    if (os->last_forker != 0)
        return -EBUSY; /* a relative by fork relies on the exclusive lock */
    if (os->recorded)
        (void) flk_file_write(os->fd, "", 0);
    rc = flk_os_file_contended(os, flk_backend_of(target)->convert(os->fd, &target->range, FILELOCK_SHARED));
    if (rc != 0)
        (void) flk_os_file_record(target, os);
    else
        os->recorded = false;
    return rc;
}

int flk_os_lock_convert(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits)
{
    struct os_lock *os = state;
    int rc = flk_own_file(os->fd, &os->id);

    if (rc != 0)
        return rc;
    if (limits->timeout_ms == FILELOCK_TRY)
        limits = NULL;
    rc = mode == FILELOCK_SHARED ? convert_down(target, os) : convert_up(target, os, limits);
    if (rc == CONTENDED && os->smb && mode == FILELOCK_SHARED) /* SMB refuses the lock to the descriptor that has it */
        return -ENOTSUP;
    return rc == CONTENDED ? -ETIMEDOUT : rc;
}
