/* SPDX-License-Identifier: MIT
 *
 * The file of an operating system's lock: opening it, comparing it, recording its holder, and forgetting it.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kind.h"
#include "os/holder.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "outcome.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/own_file.h"
#include "system/remote.h"

int flk_os_file_init(const struct target *target, void *state)
{
    struct os_lock *os = state;

    *os = (struct os_lock) { .fd = target->fd, .access = FILE_READS | FILE_WRITES };
    if (target->fd >= 0) {
        (void) flk_file_identity(target->fd, &os->id);
        os->smb = flk_file_is_smb(target->fd) > 0;
    }
    return 0;
}

/* ---- The descriptor ------------------------------------------------------------------------ */

void flk_os_file_disown(struct os_lock *os)
{
    flk_guard_lock();
    os->fd = -1;
    os->ours = false;
    os->last_forker = 0;
    flk_guard_unlock();
}

void flk_os_file_forget(struct os_lock *os)
{
    bool closes = os->ours && os->fd >= 0 && flk_own_file(os->fd, &os->id) == 0;
    int fd = os->fd;

    flk_guard_lock();
    os->fd = -1;
    os->ours = false;
    os->last_forker = 0;
    if (closes)
        flk_guard_unlock_closing(fd, &os->id);
    else
        flk_guard_unlock();
}

/* Returns the access that a lock in this mode needs: enum file_access; 0: any. */
static unsigned needs_of(const struct target *target, const struct os_lock *os, enum filelock_mode mode)
{
    if (os->writes)
        return FILE_WRITES;
    if (!flk_backend_of(target)->access_counts)
        return 0;
    return mode == FILELOCK_EXCLUSIVE ? FILE_WRITES : FILE_READS;
}

/* True if a descriptor that can be written is of use, though the lock does not need it. */
static bool profits_from_write(const struct target *target)
{
    return (target->flags & FILELOCK_RECORD_OWNER) != 0 ||
           (flk_backend_of(target)->access_counts && (target->flags & FILELOCK_UNLINK) != 0);
}

/*
 * Returns the wishes for opening the file, for reading only wherever that will do.  Opening for writing is refused for
 * a program that runs, on a read-only file system, and without permission.  It also copies a file of overlayfs, and is
 * an event for processes that watch the file.
 */
static unsigned wishes_of(const struct target *target, const struct os_lock *os, enum filelock_mode mode)
{
    unsigned wishes = 0, needs = needs_of(target, os, mode);

    if (flk_target_follows(target))
        wishes |= FILE_FOLLOW;
    if ((target->flags & FILELOCK_MAKE_PARENTS) != 0)
        wishes |= FILE_MAKE_PARENTS;
    if (needs == FILE_WRITES || profits_from_write(target))
        wishes |= FILE_TO_WRITE;
    if (needs != FILE_WRITES)
        wishes |= FILE_READ_ONLY_OK;
    if (needs != FILE_READS)
        wishes |= FILE_WRITE_ONLY_OK;
    return wishes;
}

/* True if the open file is known to be on SMB: by the folder of its path, if its file system does not tell. */
static bool is_on_smb(const struct target *target, int fd)
{
    int told = flk_file_is_smb(fd);

    if (told < 0 && target->path != NULL)
        return flk_file_place_is_smb(target->path, flk_target_follows(target));
    return told > 0;
}

/*
 * Notes what is different on the file's file system.  On SMB names do not age while the file is open, and to open it
 * once more may cost the client the locks on it.
 */
static void note_file_system(const struct target *target, struct os_lock *opened)
{
    bool ages = flk_file_names_age(opened->fd, &opened->id);

    opened->smb = ages && is_on_smb(target, opened->fd);
    opened->ages = ages && !opened->smb;
}

enum outcome flk_os_file_contended(const struct os_lock *os, enum outcome rc)
{
    return rc == -EACCES && os->smb ? CONTENDED : rc;
}

/* Opens the path.  Without a path, which happens only in a forked child, opens the caller's descriptor once more. */
static enum outcome open_target(const struct target *target, const struct os_lock *os, enum filelock_mode mode,
                                struct os_lock *opened)
{
    int rc;

    if (target->path == NULL)
        rc = flk_file_reopen(target->fd, &opened->fd, &opened->access);
    else
        rc = flk_file_open(target->path, wishes_of(target, os, mode), target->file_mode, &opened->fd, &opened->access);
    if (rc != 0)
        return rc;
    rc = flk_file_identity(opened->fd, &opened->id);
    if (rc == 0 && target->path == NULL && !flk_file_same(&opened->id, &os->id))
        rc = -ESTALE;
    if (rc != 0)
        flk_file_close(opened->fd);
    else
        note_file_system(target, opened);
    return rc;
}

static enum outcome open_anew(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    for (;;) {
        unsigned epoch = flk_open_begin();
        struct os_lock opened = { .fd = -1, .ours = true, .writes = os->writes, .resolved = os->resolved };
        int rc = open_target(target, os, mode, &opened);
        bool kept = flk_open_commit(epoch);

        if (rc == 0 && kept)
            *os = opened;
        flk_guard_unlock();
        if (rc != 0 || kept)
            return rc;
        flk_file_close(opened.fd);
    }
}

enum outcome flk_os_file_have(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    unsigned needs = needs_of(target, os, mode);

    if (os->fd >= 0) {
        int rc = flk_own_file(os->fd, &os->id);

        if (!os->ours)
            return rc;
        if (rc == 0 && (os->access & needs) == needs)
            return 0;
        if (rc == 0)
            flk_os_file_forget(os);
        else
            flk_os_file_disown(os);
    }
    return open_anew(target, os, mode);
}

const char *flk_os_file_path(const struct target *target, const struct os_lock *os)
{
    return os->resolved != NULL ? os->resolved : target->path;
}

int flk_os_file_is_named(const struct target *target, const struct os_lock *os)
{
    struct identity id;
    int rc;

    if (target->path == NULL)
        return 1;
    if (os->ages)
        flk_file_path_refresh(target->path, flk_target_follows(target));
    rc = flk_file_path_identity(target->path, flk_target_follows(target), &id);
    if (flk_error_no_file(rc))
        return 0;
    return rc != 0 ? rc : flk_file_same(&id, &os->id);
}

static int write_record(int fd, const struct range *range, const struct record *record)
{
    char text[RECORD_SIZE];

    return flk_holder_write(fd, range, text, flk_record_format(record, text));
}

/*
 * Records the holder in the file.  A regular file that cannot be written, for lack of permission or room, is locked
 * without a record.  A file that is not regular is an error.
 */
int flk_os_file_record(const struct target *target, struct os_lock *os)
{
    struct file_version version;
    struct record self;
    int rc;

    os->recorded = false;
    if ((target->flags & FILELOCK_RECORD_OWNER) == 0)
        return 0;
    os->recorded = (os->access & FILE_WRITES) != 0;
    if (os->recorded) {
        flk_process_self(&self);
        if (write_record(os->fd, &target->range, &self) == 0 ||
            write_record(os->fd, &target->range, &self) == 0) { /* once more, after a passing error */
            if (os->ages)
                flk_file_send(os->fd);
            return 0;
        }
        (void) flk_holder_write(os->fd, &target->range, "", 0); /* half of a record would name another process */
    }
    rc = flk_file_version(os->fd, &version);
    if (rc != 0 || version.regular)
        return rc;
    return version.directory ? -EISDIR : -EINVAL;
}
