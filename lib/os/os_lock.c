/* SPDX-License-Identifier: MIT
 *
 * Opening the file, locking it, and proving that the path still names the locked file.
 *
 * The proof makes it safe to delete or replace a lock file.  A waiter on the old file gets a lock for which no other
 * process will ever ask.  It sees that the path names another file, and starts again there.  The proof comes after the
 * lock: only then no other process that keeps these rules may remove the file.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "os/backend.h"
#include "os/holder.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "os/os_take.h"
#include "os/release.h"
#include "outcome.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "system/file.h"
#include "system/own_file.h"

/*
 * Give up after the path has named another file than was opened by it this many times.  No file is replaced that often:
 * the file system's identities are no good.
 */
#define MAX_STRANGERS 1000

/* Give up after the locked file was gone so many times: other processes are quicker, as if one of them held it. */
#define MAX_REMOVED 100

/* Give up after the path could not be opened so many times because of -ESTALE: its file system is not served any more. */
#define MAX_UNOPENED 3

/* ---- Locking ------------------------------------------------------------------------------- */

/* Does what a held lock needs beside the lock itself.  Returns 0 or -errno. */
static int on_locked(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    int rc = 0;

    if ((target->flags & FILELOCK_UNLINK) != 0) {
        free(os->resolved);
        os->resolved = flk_file_absolute(target->path);
    }
    os->recorded = false;
    if (mode == FILELOCK_EXCLUSIVE)
        rc = flk_os_file_record(target, os);
    if (rc == 0 && (target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        rc = flk_file_inherit(os->fd, true);
    return rc;
}

/*
 * True if the file system, as NFS does, locks only by a descriptor that can be written.  From now on such a descriptor
 * is opened.
 */
static bool wants_write(struct os_lock *os, int rc)
{
    if ((rc != -EBADF && rc != -EIO) || !os->ours || os->writes || (os->access & FILE_WRITES) != 0)
        return false;
    os->writes = true;
    return true;
}

/* True if the server of SMB was away, and has come back without the open file. */
static bool was_dropped(const struct os_lock *os, int rc)
{
    return rc == -EBADF && os->smb && os->ours;
}

/*
 * -EBADF by a descriptor that is open in one way only is -EACCES: the kernel refuses to lock by it, so the error is about
 * the file, not about fd.
 */
enum outcome flk_os_lock_refused(struct os_lock *os, int error)
{
    if (was_dropped(os, error) || wants_write(os, error)) {
        flk_os_file_forget(os);
        return AGAIN;
    }
    return error == -EBADF && os->ours && os->access != (FILE_READS | FILE_WRITES) ? -EACCES : error;
}

/* Locks the open file.  Returns as try of struct backend does; AGAIN: the file has to be opened once more. */
static enum outcome lock_open(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    enum outcome rc = flk_backend_of(target)->try(os->fd, &target->range, mode);

    rc = flk_os_file_contended(os, rc);
    return rc == TAKEN || rc == CONTENDED ? rc : flk_os_lock_refused(os, rc);
}

/*
 * Proves that the path still names the open file.  locked: whether that is locked.
 *   TAKEN      the lock is held
 *   AGAIN      the path names another file, and the open file is closed; *removed: that has no path any more
 *   CONTENDED  the path names the open file, which is not locked
 *   an error   the file is not locked
 */
static enum outcome prove(const struct target *target, struct os_lock *os, enum filelock_mode mode, bool locked,
                          bool *removed)
{
    int named = flk_os_file_is_named(target, os), rc = 0;

    if (named == 1 && locked && (rc = on_locked(target, os, mode)) == 0)
        return TAKEN;
    if (locked)
        (void) flk_backend_of(target)->unlock(os->fd, &target->range);
    if (named < 0 && locked)
        return named;
    if (named != 0)
        return locked ? rc : CONTENDED;
    *removed = flk_file_is_removed(os->fd);
    flk_os_file_forget(os);
    return AGAIN;
}

enum outcome flk_os_lock_prove(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    bool removed;

    return prove(target, os, mode, true, &removed);
}

/*
 * A server of NFS refuses a file that another client has removed (-ESTALE).  If rc is that, closes the open file, as if
 * the path named another file, and returns AGAIN.  Else returns rc.
 */
enum outcome flk_os_lock_gone(const struct target *target, struct os_lock *os, enum outcome rc)
{
    if (rc != -ESTALE || target->path == NULL)
        return rc;
    flk_os_file_forget(os);
    return AGAIN;
}

/* Opens, locks and proves.  Returns as lock_open() or prove() does; CONTENDED also if another holder keeps it closed. */
static enum outcome attempt(const struct target *target, struct os_lock *os, enum filelock_mode mode, bool *removed)
{
    int rc = flk_os_file_have(target, os, mode);

    *removed = false;
    if (rc != 0)
        return rc;
    rc = lock_open(target, os, mode);
    if (rc == TAKEN || rc == CONTENDED)
        rc = prove(target, os, mode, rc == TAKEN, removed);
    if (rc == -ESTALE)
        *removed = true;
    return flk_os_lock_gone(target, os, rc);
}

enum outcome flk_os_lock_take(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    for (int strangers = 0, removals = 0, unopened = 0; strangers < MAX_STRANGERS;) {
        bool removed;
        enum outcome rc = attempt(target, os, mode, &removed);

        if (rc == -ESTALE && target->path != NULL && unopened++ < MAX_UNOPENED)
            continue;
        if (rc != AGAIN)
            return rc;
        if (removed)
            removals++;
        else
            strangers++;
        if (removals == MAX_REMOVED)
            return CONTENDED;
    }
    return -ESTALE;
}

enum outcome flk_os_lock_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    (void) waits;
    return flk_os_lock_take(target, state, mode);
}

/* ---- Unlocking ----------------------------------------------------------------------------- */

/* Undoes what on_locked() did, and unlocks.  Returns as release of struct kind does. */
static int unlock(const struct target *target, struct os_lock *os)
{
    int rc;

    if (os->recorded)
        (void) flk_file_write(os->fd, "", 0);
    if ((target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        (void) flk_file_inherit(os->fd, false);
    if ((target->flags & FILELOCK_UNLINK) != 0)
        return flk_os_lock_release_and_remove(target, os);
    rc = flk_backend_of(target)->unlock(os->fd, &target->range);
    return rc > 0 ? -EAGAIN : rc;
}

/*
 * Closes the file, which ends the lock also after the server was away.  If the file is removed, the open file would
 * keep its name from others.
 */
static int end_on_smb(struct os_lock *os)
{
    flk_os_file_forget(os);
    return 0;
}

/* Restores the record and the inheritance of the descriptor if the unlock fails: the lock is then as it was. */
enum outcome flk_os_lock_release(const struct target *target, void *state, enum filelock_mode mode)
{
    struct os_lock *os = state;
    int rc = flk_own_file(os->fd, &os->id);

    if (rc == -ESTALE && os->ours)
        flk_os_file_disown(os);
    if (rc != 0)
        return rc == -ESTALE ? LOST : rc;
    if (os->last_forker != 0)
        return flk_os_lock_release_shared(target, os);
    rc = unlock(target, os);
    if (os->smb && os->ours && (rc == 0 || rc == -EBADF || (target->flags & FILELOCK_KEEP_ON_EXEC) == 0))
        return end_on_smb(os);
    if (rc != 0)
        (void) on_locked(target, os, mode);
    return rc;
}

void flk_os_lock_close(const struct target *target, void *state)
{
    struct os_lock *os = state;

    (void) target;
    flk_os_file_forget(os);
    free(os->resolved);
    os->resolved = NULL;
}

/* ---- Fork ---------------------------------------------------------------------------------- */

/*
 * Closes an inherited descriptor, which refers to the parent's open file.  If the child kept it, that would keep the
 * parent's lock alive, and to lock or unlock by it would change the parent's lock.  A descriptor that is the caller's
 * stays open; the child's next acquire opens its file anew.
 */
void flk_os_lock_after_fork(const struct target *target, void *state, bool holds)
{
    struct os_lock *os = state;

    if (holds) {
        /* A caller's descriptor is left out: the child could not hand the record back when it no longer uses that. */
        if (os->recorded && target->path != NULL && flk_own_file(os->fd, &os->id) == 0)
            (void) flk_owner_name(os->fd, flk_process_pid());
        return;
    }
    if (os->ours)
        flk_own_close(os->fd, &os->id);
    os->fd = -1;
    os->ours = false;
    os->last_forker = 0;
}

bool flk_os_lock_has_open(const void *state)
{
    const struct os_lock *os = state;

    return os->fd >= 0 || os->ours || os->last_forker != 0;
}

/* Notes no forker for a caller's descriptor: it cannot be closed here, and to unlock it unlocks all its copies. */
void flk_os_lock_before_fork(const struct target *target, void *state)
{
    struct os_lock *os = state;

    os->last_forker = target->path != NULL ? flk_process_pid() : 0;
}

/* ---- Questions ----------------------------------------------------------------------------- */

int flk_os_lock_target_key(const struct target *target, struct lock_key *key)
{
    struct identity id;
    int rc;

    if (target->path == NULL)
        rc = flk_file_identity(target->fd, &id);
    else
        rc = flk_file_path_identity(target->path, flk_target_follows(target), &id);
    if (rc == 0)
        key->size = flk_file_key(&id, key->bytes);
    return rc;
}

void flk_os_lock_locked_key(const void *state, struct lock_key *key)
{
    key->size = flk_file_key(&((const struct os_lock *) state)->id, key->bytes);
}

int flk_os_lock_descriptor(const void *state)
{
    const struct os_lock *os = state;

    return flk_own_file(os->fd, &os->id) == 0 ? flk_file_descriptor(os->fd) : -1;
}

int flk_os_lock_check(const struct target *target, const void *state)
{
    const struct os_lock *os = state;
    int rc = flk_own_file(os->fd, &os->id);

    if (rc == 0)
        rc = flk_os_file_is_named(target, os);
    return rc < 0 ? rc : rc == 1 ? 0 : -ESTALE;
}

int flk_os_lock_owner(const struct target *target, struct filelock_owner *owner)
{
    return flk_owner_of_file(target, owner);
}
