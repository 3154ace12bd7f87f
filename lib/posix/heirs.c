/* SPDX-License-Identifier: MIT
 *
 * Locks that were shared by fork, and who leaves them.
 *
 * All who share one have the same open file, and the lock on it lasts as long as any of them has it open.  What has
 * to be handed on is the record: it is to name one who holds.  doc/soft.md has the argument.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kind.h"
#include "owner.h"
#include "posix/file.h"
#include "posix/heirs.h"
#include "posix/marker.h"
#include "process_id.h"
#include "retry.h"

/* So many heirs in a row cannot have left while they were being named. */
#define ROUNDS_MOST 100

/* So long a process that is to execute a program may have what it is about to close. */
#define PASSING_MS 50

/* ---- Naming --------------------------------------------------------------------------------- */

/* enum holds, or -errno.  A process whose open files cannot be seen is given the benefit of the doubt. */
static int names_holder(const struct record *record, const struct shared_lock *lock)
{
    if (record->pid == flk_process_pid() || flk_process_life(record) != LIFE_ALIVE)
        return HOLDS_NOT;
    return flk_shared_lock_held_by(lock, record->pid);
}

/* The parent, as long as it is that of this process, or its pid may be anybody's; or who is found. */
static int find_heir(const struct shared_lock *lock, int64_t sharer, int64_t *heir)
{
    int holds = sharer == getppid() ? flk_shared_lock_held_by(lock, sharer) : HOLDS_NOT;

    *heir = sharer;
    return holds != HOLDS_NOT ? holds : flk_shared_lock_find(lock, heir);
}

static bool read_record(int fd, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read(fd, bytes, sizeof(bytes));

    return size > 0 && flk_record_parse(bytes, (size_t) size, record) == 0;
}

static void let_pass(void)
{
    const struct timespec nap = { 0, PASSING_MS * 1000000L };

    (void) nanosleep(&nap, NULL);
}

/*
 * Who is named may leave at this moment, and have found that the record named somebody else.  So it is seen to hold
 * the lock still after it was named: one who leaves later will find its name there.  One who was found, and has not
 * named itself when it was forked, may be about to execute a program.
 */
int flk_heirs_name(int fd, int writable, const struct shared_lock *lock, int64_t sharer)
{
    struct record record;
    int64_t heir;
    int rc;

    for (int round = 0; round < ROUNDS_MOST; round++) {
        rc = read_record(fd, &record) ? names_holder(&record, lock) : HOLDS_NOT;
        if (rc != HOLDS_NOT)
            return rc;
        rc = find_heir(lock, sharer, &heir);
        if (rc == HOLDS_NOT || rc < 0 || writable < 0)
            return rc;
        if (flk_owner_name(writable, heir) == 0 && heir != sharer)
            let_pass();
    }
    return HOLDS_NOT;
}

/* ---- Parting -------------------------------------------------------------------------------- */

/* One who leaves a marker. */
struct parting {
    const char *path;
    struct shared_lock lock;
    int64_t sharer;
    int known; /* of another holder: enum holds */

    /* The marker, opened once more; -1: the path names another file, or it cannot be opened. */
    int fd, writable;
};

static void close_again(struct parting *parting)
{
    if (parting->fd >= 0)
        flk_file_close(parting->fd);
    if (parting->writable >= 0)
        flk_file_close(parting->writable);
    parting->fd = parting->writable = -1;
}

static bool is_marker(int fd, const struct parting *parting)
{
    struct identity id;

    return flk_file_identity(fd, &id) == 0 && flk_file_same(&id, &parting->lock.id);
}

/*
 * Twice: where locks are not listed, who has the file open for reading and writing at once is taken for a holder.
 * 0, or -errno for want of what it takes.
 */
static int open_again(struct parting *parting)
{
    int reads = flk_file_open_to_read(parting->path, false), writes = flk_file_open_flags(parting->path, O_WRONLY, 0);

    parting->fd = reads >= 0 ? reads : -1;
    parting->writable = writes >= 0 ? writes : -1;
    if (flk_file_lacks_means(reads) || flk_file_lacks_means(writes)) {
        close_again(parting);
        return flk_file_lacks_means(reads) ? reads : writes;
    }
    if ((reads >= 0 && !is_marker(reads, parting)) || (writes >= 0 && !is_marker(writes, parting)))
        close_again(parting);
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
 * A marker that cannot be opened any more, or is somewhere else: who seems to be the last removes or empties it while
 * it is open still.
 */
static int remove_unopened(const struct parting *parting, int fd, bool for_good)
{
    int rc = flk_file_remove_same(parting->path, false, &parting->lock.id);

    if (rc == 0)
        flk_marker_tidy(parting->path);
    else if (rc == -ENOENT || for_good)
        (void) flk_file_write(fd, "", 0);
    return rc == -ENOENT ? 0 : rc;
}

/* What can be found out and done before the lock is let go of: 0 or -errno. */
static int prepare(struct parting *parting, int fd, bool for_good)
{
    const struct identity id = parting->lock.id;
    int rc = flk_shared_lock_of(fd, &id, &parting->lock);

    if (rc == 0)
        rc = parting->known = flk_heirs_name(fd, fd, &parting->lock, parting->sharer);
    if (rc >= 0)
        rc = open_again(parting);
    if (rc != 0)
        return rc;
    if (parting->fd < 0 && parting->known == HOLDS_NOT)
        return remove_unopened(parting, fd, for_good);
    /* If it turned out to have been the last, it could do nothing about the marker any more. */
    if (parting->known == HOLDS_UNSEEN &&
        (parting->fd < 0 || (parting->writable < 0 && !can_remove(parting->path))))
        return -EACCES;
    return 0;
}

/* What cannot be removed is emptied: it would be taken for held as long as this process lives. */
static void remove_last(const struct parting *parting)
{
    int rc = flk_file_remove_same(parting->path, false, &parting->lock.id);

    if (rc == 0)
        flk_marker_tidy(parting->path); /* it may have named the dead meanwhile, and a breaker have been killed */
    else if (rc != -ENOENT && parting->writable >= 0)
        (void) flk_file_write(parting->writable, "", 0);
}

/*
 * The lock on the marker tells who is last, once one's own copy of the open file is closed; where there are no
 * locks, those who are seen to have it open have to.  NFS wants a file that can be written.
 */
static int try_settling(void *arg)
{
    struct parting *parting = arg;
    int fd = parting->writable >= 0 ? parting->writable : parting->fd, locked = flk_marker_lock(fd);
    bool last = locked == 0 && parting->lock.listed;

    if (!last) {
        parting->known = flk_heirs_name(parting->fd, parting->writable, &parting->lock, parting->sharer);
        last = parting->known == HOLDS_NOT && (locked == 0 || (locked == -ENOTSUP && !parting->lock.listed));
    }
    if (last)
        remove_last(parting);
    if (locked == 0)
        flk_marker_unlock(fd);
    return last || parting->known != HOLDS_NOT ? 0 : FLK_CONTENDED;
}

/*
 * It is locked, but nobody is seen to hold it: somebody looks at it, or is just being forked.  One who goes on like
 * that cannot be named; the lock tells of him.  Where nobody can be seen one's own name is better than none.
 */
static void settle(struct parting *parting)
{
    struct limits limits = { .timeout_ms = 2 * PASSING_MS, .cancel = FILELOCK_NO_WAITABLE };
    struct record record;

    flk_limits_start(&limits);
    if (flk_retry(try_settling, parting, &limits) == 0 || parting->writable < 0 || parting->lock.link[0] == '\0')
        return;
    if (read_record(parting->fd, &record) && record.pid == flk_process_pid())
        (void) flk_file_write(parting->writable, "", 0);
}

static int part(struct parting *parting, bool for_good, int *fd)
{
    int rc = prepare(parting, *fd, for_good);

    if (rc != 0 && !for_good) {
        close_again(parting);
        return rc;
    }
    flk_guard_lock();
    flk_file_close(*fd);
    *fd = -1;
    flk_guard_unlock();
    if (flk_file_lacks_means(rc))
        (void) open_again(parting); /* there is room for one now */
    if (parting->fd >= 0)
        settle(parting);
    close_again(parting);
    return 0;
}

/* Forks wait meanwhile: a child would have copies of what is open here, and not know of them. */
int flk_marker_part(const char *path, const struct identity *id, int64_t sharer, bool for_good, int *fd)
{
    struct parting parting = { .path = path, .lock = { .id = *id }, .sharer = sharer, .fd = -1, .writable = -1 };
    unsigned epoch = flk_opening();
    int rc = part(&parting, for_good, fd);

    (void) flk_opened(epoch);
    flk_guard_unlock();
    return rc;
}
