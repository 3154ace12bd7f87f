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
#include "os/release.h"
#include "outcome.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "system/file.h"
#include "system/own_file.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/lookout.h"
#include "wait/retry.h"

/*
 * Give up after the path has named another file than was opened by it this many times.  No file is replaced that often:
 * the file system's identities are no good.
 */
#define MAX_STRANGERS 1000

/* Give up after the locked file was gone so many times: other processes are quicker, as if one of them held it. */
#define MAX_REMOVED 100

/* ---- Locking ------------------------------------------------------------------------------- */

/*
 * Returns the error to report for rc.  -EBADF by a descriptor that is open in one way only is -EACCES: the kernel
 * refuses to lock by it, so the error is about the file, not about fd.
 */
static int explain_error(const struct os_lock *os, int rc)
{
    return rc == -EBADF && os->ours && os->access != (FILE_READS | FILE_WRITES) ? -EACCES : rc;
}

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

/*
 * Locks the open file.  tried: the caller knows that the lock is contended.
 *   0          it is locked
 *   CONTENDED  another holder is in the way
 *   AGAIN      nothing is locked, and the file has to be opened once more
 *   -errno     nothing is locked
 * During a wait the program may close the descriptor, and open another file by its number: then nothing is locked.
 */
static enum outcome lock_open(const struct target *target, struct os_lock *os, enum filelock_mode mode, bool tried,
                              const struct limits *limits)
{
    const struct backend *backend = flk_backend_of(target);
    int rc = tried ? CONTENDED : backend->try(os->fd, &target->range, mode), lost = 0;

    if (rc == CONTENDED && limits != NULL) {
        rc = backend->wait(os->fd, &target->range, mode, limits);
        lost = flk_own_file(os->fd, &os->id);
    }
    if (lost != 0 && !os->ours)
        return lost;
    if (lost != 0) {
        flk_os_file_disown(os);
        return rc == -ECANCELED || rc == -EINTR ? rc : AGAIN;
    }
    if (wants_write(os, rc)) {
        flk_os_file_forget(os);
        return AGAIN;
    }
    return explain_error(os, rc);
}

/*
 * Proves that the path still names the open file.  rc: 0 if that is locked; CONTENDED or -ETIMEDOUT if it is not.
 *   0       the lock is held
 *   AGAIN   the path names another file, and the open file is closed; *removed: that has no path any more
 *   rc      the path names the open file, which is not locked
 *   -errno  there was an error, and the file is not locked
 */
static enum outcome prove(const struct target *target, struct os_lock *os, enum filelock_mode mode, int rc,
                          bool *removed)
{
    int named = flk_os_file_is_named(target, os);
    bool locked = rc == 0;

    if (named == 1 && locked && (rc = on_locked(target, os, mode)) == 0)
        return 0;
    if (locked)
        (void) flk_backend_of(target)->unlock(os->fd, &target->range);
    if (named != 0)
        return named < 0 && locked ? named : rc;
    *removed = flk_file_is_removed(os->fd);
    flk_os_file_forget(os);
    return AGAIN;
}

/* Opens, locks and proves.  Returns as lock_open() or prove() does. */
static enum outcome attempt(const struct target *target, struct os_lock *os, enum filelock_mode mode,
                            const struct limits *limits, bool *removed)
{
    bool tried = limits != NULL && os->fd >= 0; /* before the wait */
    int rc = flk_os_file_have(target, os, mode);

    *removed = false;
    if (rc == 0) {
        rc = lock_open(target, os, mode, tried, limits);
        if (rc == 0 || rc == CONTENDED || rc == -ETIMEDOUT)
            rc = prove(target, os, mode, rc, removed);
    }
    return rc;
}

/*
 * Takes the lock.  limits: NULL to take it without waiting.  CONTENDED with limits: another process is in the way of
 * opening the file, or removes each file that is made.  The caller then naps, and tries again.  If the time is up, and
 * the path names another file than the file that was waited for, tries that other file without waiting.
 */
static enum outcome take(const struct target *target, struct os_lock *os, enum filelock_mode mode,
                         const struct limits *limits)
{
    int contended = CONTENDED;

    for (int strangers = 0, removals = 0; strangers < MAX_STRANGERS;) {
        bool removed;
        int rc = attempt(target, os, mode, limits, &removed);

        if (rc != AGAIN)
            return rc == CONTENDED ? contended : rc;
        if (removed)
            removals++;
        else
            strangers++;
        if (removals == MAX_REMOVED)
            return contended;
        if (limits != NULL && flk_limits_left(limits) == 0) {
            limits = NULL;
            contended = -ETIMEDOUT;
        }
    }
    return -ESTALE;
}

struct taking {
    const struct target *target;
    struct os_lock *os;
    enum filelock_mode mode;
    const struct limits *limits;
};

static enum outcome take_within(void *arg)
{
    const struct taking *taking = arg;

    return take(taking->target, taking->os, taking->mode, taking->limits);
}

enum outcome flk_os_lock_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    (void) waits;
    return take(target, state, mode, NULL);
}

int flk_os_lock_wait(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits)
{
    struct taking taking = { target, state, mode, limits };
    int rc = take_within(&taking);

    return rc == CONTENDED ? flk_retry(take_within, &taking, limits) : rc;
}

/* ---- Looking, for an attempt that no thread waits for --------------------------------------- */

/* A call that waits for the lock of a file in a helper thread. */
struct blocked {
    const struct backend *backend;
    int fd;
    enum filelock_mode mode;
    struct range range;
    struct identity id;
    const struct job *job;
};

static struct blocked *blocked_of(struct lookout *lookout)
{
    return (struct blocked *) (void *) lookout->room;
}

/* Returns -ESTALE if the helper has another table of open files than the attendant, or the descriptor was closed. */
static int block(void *arg)
{
    const struct blocked *blocked = arg;
    int rc;

    if (flk_own_file(blocked->fd, &blocked->id) != 0)
        return -ESTALE;
    rc = blocked->backend->block(blocked->fd, &blocked->range, blocked->mode, flk_job_stopper(blocked->job));
    return rc > 0 ? -EAGAIN : rc; /* no kernel returns CONTENDED if it was asked to wait */
}

/* Writes what the call waits for.  Calls for different modes or ranges of a file may be granted at different times. */
static void name_call(const struct target *target, const struct os_lock *os, enum filelock_mode mode,
                      struct call_key *key)
{
    const int64_t rest[] = { target->kind->id, (int64_t) mode, target->range.start, target->range.length };

    key->size = flk_file_key(&os->id, key->bytes);
    memcpy(key->bytes + key->size, rest, sizeof(rest));
    key->size += sizeof(rest);
}

/* Asks for a call that waits for the open file. */
static void want_call(const struct target *target, const struct os_lock *os, enum filelock_mode mode,
                      struct lookout *lookout)
{
    struct blocked *blocked = blocked_of(lookout);

    *blocked = (struct blocked) { .backend = flk_backend_of(target),
                                  .fd = os->fd,
                                  .mode = mode,
                                  .range = target->range,
                                  .id = os->id,
                                  .job = &lookout->job };
    name_call(target, os, mode, &lookout->key);
    lookout->call = block;
    lookout->state = CALL_WANTED;
}

/* True if the call that has ended was for the file that is open. */
static bool was_for(const struct os_lock *os, struct lookout *lookout)
{
    return os->fd >= 0 && flk_own_file(os->fd, &os->id) == 0 && flk_file_same(&os->id, &blocked_of(lookout)->id);
}

/* Takes over what the call got.  Returns as prove() does; CONTENDED: the call has locked another file. */
static enum outcome take_granted(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    const struct backend *backend = flk_backend_of(target);
    int rc = backend->grants_again ? backend->try(os->fd, &target->range, mode) : 0;
    bool removed;

    return rc == 0 ? prove(target, os, mode, rc, &removed) : rc;
}

/* True if the error of a call says that the file cannot be locked, not that the call had to end. */
static bool is_refusal(int result)
{
    return result < 0 && result != -ESTALE && result != -ECANCELED;
}

enum outcome flk_os_lock_look(const struct target *target, void *state, enum filelock_mode mode,
                              struct lookout *lookout)
{
    struct os_lock *os = state;
    int result = 0, rc = AGAIN;
    bool called = flk_lookout_result(lookout, &result), same = called && was_for(os, lookout);

    if (lookout->state == CALL_RUNS)
        return CONTENDED;
    if (same && result == 0)
        rc = take_granted(target, os, mode);
    if (rc == AGAIN || rc == CONTENDED)
        rc = take(target, os, mode, NULL);
    if (rc != CONTENDED)
        return rc;
    same = same && was_for(os, lookout);
    if (same && is_refusal(result))
        return explain_error(os, result);
    if (same || os->fd < 0)
        flk_lookout_nap(lookout); /* a call would not help */
    else
        want_call(target, os, mode, lookout);
    return CONTENDED;
}

void flk_os_lock_withdraw(const struct target *target, void *state)
{
    struct os_lock *os = state;

    if (os->fd >= 0 && flk_own_file(os->fd, &os->id) == 0)
        (void) flk_backend_of(target)->unlock(os->fd, &target->range);
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
