/* SPDX-License-Identifier: MIT
 *
 * Open, lock, and prove that the path still names the locked file.
 *
 * The proof is what makes deleting or replacing a lock file safe: whoever was waiting on the old
 * file gets a lock that nobody else will ever ask for, sees that the path names another file, and
 * starts again there.  It comes after the lock, for only then nobody else who plays by these rules
 * may remove the file.
 */
#include "config.h"

#include <errno.h>

#include "backend.h"
#include "os_lock.h"
#include "owner.h"
#include "process_id.h"
#include "record.h"
#include "retry.h"

/* So often the path cannot have named another file than was opened by it: the file system's identities are no good. */
#define STRANGERS_MOST 1000

/* So often in a row the file was gone when it was locked: others are quicker, which is as if one of them held it. */
#define REMOVED_MOST 100

static bool follows(const struct target *target)
{
    return (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0;
}

static bool records(const struct target *target, enum filelock_mode mode)
{
    return (target->flags & FILELOCK_RECORD_OWNER) != 0 && mode == FILELOCK_EXCLUSIVE;
}

/* Whether a lock in this mode takes a descriptor that can be written. */
static bool needs_write(const struct target *target, enum filelock_mode mode)
{
    return records(target, mode) || (mode == FILELOCK_EXCLUSIVE && target->kind->backend->exclusive_needs_write);
}

void flk_os_lock_init(const struct target *target, void *state)
{
    struct os_lock *os = state;

    *os = (struct os_lock) { .fd = target->fd, .writable = true };
    if (target->fd >= 0)
        (void) flk_file_identity(target->fd, &os->id);
}

/* ---- The descriptor ------------------------------------------------------------------------ */

void flk_os_lock_forget(struct os_lock *os)
{
    flk_guard_lock();
    if (os->ours && os->fd >= 0)
        flk_file_close(os->fd);
    os->fd = -1;
    os->ours = false;
    os->sharer = 0;
    flk_guard_unlock();
}

/* Without a path only a child whose parent's descriptor it is comes here. */
static int open_target(const struct target *target, enum filelock_mode mode, int *fd, bool *writable)
{
    unsigned wishes = 0;

    if (target->path == NULL)
        return flk_file_reopen(target->fd, fd, writable);
    if (follows(target))
        wishes |= FILE_FOLLOW;
    if ((target->flags & FILELOCK_MAKE_PARENTS) != 0)
        wishes |= FILE_MAKE_PARENTS;
    if (!needs_write(target, mode))
        wishes |= FILE_READ_ONLY_OK;
    return flk_file_open(target->path, wishes, target->file_mode, fd, writable);
}

static int have_descriptor(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    if (os->fd >= 0 && (os->writable || !needs_write(target, mode)))
        return 0;
    flk_os_lock_forget(os);
    for (;;) {
        unsigned epoch = flk_opening();
        struct os_lock opened = { .fd = -1, .ours = true };
        int rc = open_target(target, mode, &opened.fd, &opened.writable);
        bool kept;

        if (rc == 0 && (rc = flk_file_identity(opened.fd, &opened.id)) != 0)
            flk_file_close(opened.fd);
        kept = flk_opened(epoch);
        if (rc == 0 && kept)
            *os = opened;
        flk_guard_unlock();
        if (rc != 0 || kept)
            return rc;
        flk_file_close(opened.fd);
    }
}

int flk_os_lock_names_ours(const struct target *target, const struct os_lock *os)
{
    struct identity id;
    int rc;

    if (target->path == NULL)
        return 1;
    rc = flk_file_path_identity(target->path, follows(target), &id);
    if (flk_file_names_nothing(rc))
        return 0;
    return rc != 0 ? rc : flk_file_same(&id, &os->id);
}

/* ---- Locking ------------------------------------------------------------------------------- */

/* An exclusive lock of a file open for reading only: the error is about the file, not about fd. */
static int explain(const struct os_lock *os, enum filelock_mode mode, int rc)
{
    return rc == -EBADF && mode == FILELOCK_EXCLUSIVE && os->ours && !os->writable ? -EACCES : rc;
}

/* What being held entails beside the lock itself. */
static int on_locked(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    struct record self;
    int rc = 0;

    os->recorded = records(target, mode);
    if (os->recorded) {
        flk_process_self(&self);
        rc = flk_owner_write(os->fd, &target->range, &self);
    }
    if (rc == 0 && (target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        rc = flk_file_inherit(os->fd, true);
    return rc;
}

/*
 * limits NULL: without waiting.  FLK_CONTENDED with limits: somebody else is in the way of opening the file, or
 * removes each that is made; it is to be tried again, after a nap.
 */
static int take(const struct target *target, struct os_lock *os, enum filelock_mode mode, const struct limits *limits)
{
    const struct backend *backend = target->kind->backend;

    for (int strangers = 0, removed = 0; strangers < STRANGERS_MOST;) {
        bool tried = limits != NULL && os->fd >= 0; /* before the wait */
        int named, rc = have_descriptor(target, os, mode);

        if (rc == FLK_CONTENDED)
            return rc;
        if (rc == 0)
            rc = tried ? FLK_CONTENDED : backend->try(os->fd, &target->range, mode);
        if (rc == FLK_CONTENDED && limits != NULL)
            rc = backend->wait(os->fd, &target->range, mode, limits);
        if (rc < 0)
            return explain(os, mode, rc);
        named = flk_os_lock_names_ours(target, os);
        if (named == 1 && rc == FLK_CONTENDED)
            return rc;
        if (named == 1 && (rc = on_locked(target, os, mode)) == 0)
            return 0;
        if (rc != FLK_CONTENDED)
            (void) backend->unlock(os->fd, &target->range);
        if (named != 0)
            return named < 0 ? named : rc;
        if (flk_file_is_removed(os->fd))
            removed++;
        else
            strangers++;
        flk_os_lock_forget(os);
        if (removed == REMOVED_MOST)
            return FLK_CONTENDED;
        if (limits != NULL && flk_limits_left(limits) == 0)
            return -ETIMEDOUT;
    }
    return -ESTALE;
}

struct taking {
    const struct target *target;
    struct os_lock *os;
    enum filelock_mode mode;
    const struct limits *limits;
};

static int take_within(void *arg)
{
    const struct taking *taking = arg;

    return take(taking->target, taking->os, taking->mode, taking->limits);
}

int flk_os_lock_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    (void) waits;
    return take(target, state, mode, NULL);
}

int flk_os_lock_wait(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits)
{
    struct taking taking = { target, state, mode, limits };
    int rc = take_within(&taking);

    return rc == FLK_CONTENDED ? flk_retry(take_within, &taking, limits) : rc;
}

/* ---- Unlocking ----------------------------------------------------------------------------- */

int flk_os_lock_release(const struct target *target, void *state, enum filelock_mode mode)
{
    struct os_lock *os = state;
    int rc;

    if (os->sharer != 0)
        return flk_os_lock_release_shared(target, os);
    if (records(target, mode))
        (void) flk_file_write(os->fd, "", 0);
    if ((target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        (void) flk_file_inherit(os->fd, false);
    if ((target->flags & FILELOCK_UNLINK) != 0)
        return flk_os_lock_release_and_remove(target, os);
    rc = target->kind->backend->unlock(os->fd, &target->range);
    return rc > 0 ? -EAGAIN : rc;
}

void flk_os_lock_close(const struct target *target, void *state)
{
    (void) target;
    flk_os_lock_forget(state);
}

/* ---- Fork ---------------------------------------------------------------------------------- */

/*
 * An inherited descriptor refers to the parent's open file: keeping it would keep the parent's lock
 * alive, and locking or unlocking through it would be done to the parent.  A descriptor that is the
 * caller's is left alone; the child's next acquire opens its file anew.
 */
void flk_os_lock_forked(const struct target *target, void *state, bool holds)
{
    struct os_lock *os = state;

    if (holds) {
        if (os->recorded && target->path != NULL) /* who leaves a caller's descriptor could not hand it back */
            (void) flk_owner_name(os->fd, flk_process_pid());
        return;
    }
    if (os->ours && os->fd >= 0)
        flk_file_close(os->fd);
    os->fd = -1;
    os->ours = false;
    os->sharer = 0;
}

/* A descriptor that is the caller's cannot be closed here: unlocking it unlocks all its copies. */
void flk_os_lock_sharing(const struct target *target, void *state)
{
    struct os_lock *os = state;

    os->sharer = target->path != NULL ? flk_process_pid() : 0;
}

/* ---- Questions ----------------------------------------------------------------------------- */

int flk_os_lock_identify(const struct target *target, struct identity *id)
{
    if (target->path == NULL)
        return flk_file_identity(target->fd, id);
    return flk_file_path_identity(target->path, follows(target), id);
}

void flk_os_lock_locked(const void *state, struct identity *id)
{
    *id = ((const struct os_lock *) state)->id;
}

int flk_os_lock_descriptor(const void *state)
{
    return ((const struct os_lock *) state)->fd;
}

int flk_os_lock_owner(const struct target *target, struct filelock_owner *owner)
{
    return flk_owner_of_file(target, owner);
}
