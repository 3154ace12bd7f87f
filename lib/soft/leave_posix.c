/* SPDX-License-Identifier: MIT
 *
 * Leaving a marker that was shared by fork.
 *
 * All processes that share a marker have the same open file.  The lock on it lasts as long as any of them has it open.
 * Only the record has to be handed on: it must name a process that holds.  doc/soft.md has the argument.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "outcome.h"
#include "owner/openers.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "owner/sharing.h"
#include "soft/marker.h"
#include "soft/marker_file.h"
#include "soft/stale.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "wait/await.h"
#include "wait/limits.h"

/* A process that leaves a marker. */
struct leaving {
    const char *path;
    struct shared_lock lock;
    int64_t last_forker;
    bool for_good; /* the handle is freed, or the process exits */
    int known;     /* enum holds, of the other holder that was looked for */

    /* The marker, opened once more.  -1: the path names another file, or the marker cannot be opened. */
    int fd, writable;
};

static void close_again(struct leaving *leaving)
{
    if (leaving->fd >= 0)
        flk_file_close(leaving->fd);
    if (leaving->writable >= 0)
        flk_file_close(leaving->writable);
    leaving->fd = leaving->writable = -1;
}

static bool is_marker(int fd, const struct leaving *leaving)
{
    struct identity id;

    return flk_file_identity(fd, &id) == 0 && flk_file_same(&id, &leaving->lock.id);
}

/*
 * Opens the marker once for reading, and once for writing.  It is not opened once for both: where the system does not
 * list locks, a process that has the marker open like that counts as a holder.  Returns 0, or -EMFILE, -ENFILE or
 * -ENOMEM.
 */
static int open_again(struct leaving *leaving)
{
    int reads = flk_file_open_to_read(leaving->path, false), writes = flk_file_open_flags(leaving->path, O_WRONLY, 0);

    leaving->fd = reads >= 0 ? reads : -1;
    leaving->writable = writes >= 0 ? writes : -1;
    if (flk_error_no_resources(reads) || flk_error_no_resources(writes)) {
        close_again(leaving);
        return flk_error_no_resources(reads) ? reads : writes;
    }
    if ((reads >= 0 && !is_marker(reads, leaving)) || (writes >= 0 && !is_marker(writes, leaving)))
        close_again(leaving);
    return 0;
}

static bool can_remove(const char *path)
{
    char *folder = flk_file_parent(path);
    bool can = folder == NULL || faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;

    free(folder);
    return can;
}

/*
 * Removes a marker that cannot be opened once more, or is not at its path.  It is still open as fd.  A marker that is
 * not at its path is disowned.  So is a marker that cannot be removed, if it is left for good.  Returns 0 or -errno.
 */
static int remove_unopened(const struct leaving *leaving, int fd)
{
    int rc = flk_file_remove_same(leaving->path, false, &leaving->lock.id);

    if (rc == 0)
        flk_marker_tidy(leaving->path);
    else if (rc == -ENOENT || leaving->for_good)
        (void) flk_owner_disown(fd);
    return rc == -ENOENT ? 0 : rc;
}

/*
 * Does what can be done while the lock is still held: names another holder, and opens the marker.  Returns 0 or -errno.
 */
static int prepare(struct leaving *leaving, int fd)
{
    const struct identity id = leaving->lock.id;
    int rc = flk_shared_lock_of(fd, &id, &leaving->lock);

    if (rc == 0)
        rc = leaving->known = flk_sharing_name_holder(fd, fd, &leaving->lock, leaving->last_forker);
    if (rc >= 0)
        rc = open_again(leaving);
    if (rc != 0)
        return rc;
    if (leaving->fd < 0 && leaving->known == HOLDS_NOT)
        return remove_unopened(leaving, fd);
    /* This process may turn out to be the last holder, and could then neither remove nor disown the marker. */
    if (leaving->known == HOLDS_UNSEEN && (leaving->fd < 0 || (leaving->writable < 0 && !can_remove(leaving->path))))
        return -EACCES;
    return 0;
}

/*
 * Removes the marker after the last holder has left.  If it cannot be removed, it is disowned: else it would count as
 * held as long as this process lives.
 */
static void remove_last(const struct leaving *leaving)
{
    int rc = flk_file_remove_same(leaving->path, false, &leaving->lock.id);

    if (rc == 0)
        flk_marker_tidy(leaving->path); /* a breaker may have been killed while the marker named a dead process */
    else if (rc != -ENOENT && leaving->writable >= 0)
        (void) flk_owner_disown(leaving->writable);
}

/*
 * Removes the marker if this process was the last holder, else makes it name another holder.  Caller has closed its
 * copy of the open file, so the marker can be locked if no holder is left.  Where the system lists no locks, no process
 * may be seen to have the marker open either.  Where the marker cannot be locked, that alone decides.  The lock is
 * tried on a file open for writing, because NFS needs that.  Returns
 *   0          the marker is removed, or another holder is known
 *   CONTENDED  no process is seen to hold the lock, but the marker is locked
 */
static enum outcome try_settling(void *arg)
{
    struct leaving *leaving = arg;
    int fd = leaving->writable >= 0 ? leaving->writable : leaving->fd, locked = flk_marker_lock(fd);
    bool last = locked == 0 && leaving->lock.listed;

    if (!last) {
        leaving->known = flk_sharing_name_holder(leaving->fd, leaving->writable, &leaving->lock, leaving->last_forker);
        last = leaving->known == HOLDS_NOT && (locked == 0 || (locked == -ENOTSUP && !leaving->lock.listed));
    }
    if (last)
        remove_last(leaving);
    if (locked == 0)
        flk_marker_unlock(fd);
    return last || leaving->known != HOLDS_NOT ? 0 : CONTENDED;
}

/*
 * Settles what becomes of the marker.  While it is locked and no process is seen to hold it, a process is looking at
 * it, or is just being forked: so this tries for a while.
 *
 * A holder that stays unseen cannot be named.  The lock on the marker tells that it is alive, so a record that names
 * this process is emptied.  Where open files cannot be seen at all, this process's name is better than none.
 */
static void settle(struct leaving *leaving)
{
    struct limits limits = { .timeout_ms = 2 * FLK_PASSING_MS, .cancel = FILELOCK_NO_WAITABLE };
    struct record record;

    flk_limits_start(&limits);
    if (flk_retry(try_settling, leaving, &limits) == 0 || leaving->writable < 0 || !leaving->lock.shown)
        return;
    if (flk_owner_read(leaving->fd, &record) && record.pid == flk_process_pid())
        (void) flk_file_write(leaving->writable, "", 0);
}

/* Leaves the marker.  Returns 0 or -errno. */
static int leave(struct leaving *leaving, int *fd)
{
    int rc = prepare(leaving, *fd), own;

    if (rc != 0 && !leaving->for_good) {
        close_again(leaving);
        return rc;
    }
    flk_guard_lock();
    own = *fd;
    *fd = -1;
    flk_guard_unlock_closing(own, &leaving->lock.id);
    if (flk_error_no_resources(rc))
        (void) open_again(leaving); /* one descriptor was closed, so that there is room */
    if (leaving->fd >= 0)
        settle(leaving);
    close_again(leaving);
    return 0;
}

/* Holds off forks: a child would have copies of the descriptors that are open here, and not know of them. */
int flk_marker_release_shared(const char *path, const struct identity *id, int64_t last_forker, bool for_good, int *fd)
{
    struct leaving leaving = {
        .path = path, .lock = { .id = *id }, .last_forker = last_forker, .for_good = for_good, .fd = -1, .writable = -1
    };
    int rc;

    flk_fork_hold();
    rc = leave(&leaving, fd);
    flk_fork_release();
    return rc;
}
