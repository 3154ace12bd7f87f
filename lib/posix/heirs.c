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
#include <unistd.h>

#include "owner.h"
#include "posix/file.h"
#include "posix/heirs.h"
#include "posix/marker.h"
#include "process_id.h"

/* So many heirs in a row cannot have left while they were being named. */
#define ROUNDS_MOST 100

/* ---- Naming --------------------------------------------------------------------------------- */

/* Who forked this process is its parent still, or that pid may be anybody's. */
static int is_held_by_parent(const struct shared_lock *lock, int64_t sharer)
{
    int holds = sharer == getppid() ? flk_shared_lock_held_by(lock, sharer) : HOLDS_NOT;

    return holds == HOLDS_UNSEEN ? HOLDS : holds;
}

static int find_heir(const struct shared_lock *lock, int64_t sharer, int64_t *heir)
{
    int rc = is_held_by_parent(lock, sharer);

    *heir = sharer;
    return rc != HOLDS_NOT ? rc : flk_shared_lock_find(lock, heir);
}

/* 1, 0 or -errno.  A process whose open files cannot be seen is given the benefit of the doubt. */
static int names_holder(const struct record *record, const struct shared_lock *lock)
{
    int holds;

    if (record->pid == flk_process_pid() || flk_process_life(record) != LIFE_ALIVE)
        return 0;
    holds = flk_shared_lock_held_by(lock, record->pid);
    return holds == HOLDS_UNSEEN ? 1 : holds;
}

static bool read_record(int fd, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read(fd, bytes, sizeof(bytes));

    return size > 0 && flk_record_parse(bytes, (size_t) size, record) == 0;
}

/*
 * Who is named may leave at this moment, and have found that the record named somebody else.  So it is seen to hold
 * the lock still after it was named: one who leaves later will find its name there.
 */
int flk_heirs_name(int fd, int writable, const struct shared_lock *lock, int64_t sharer)
{
    struct record record;
    int64_t heir;
    int rc;

    for (int round = 0; round < ROUNDS_MOST; round++) {
        bool recorded = read_record(fd, &record);

        rc = recorded ? names_holder(&record, lock) : 0;
        if (rc != 0)
            return rc;
        rc = find_heir(lock, sharer, &heir);
        if (rc != 1 || !recorded || writable < 0)
            return rc;
        rc = flk_owner_name(writable, heir);
        if (rc != 0 && rc != -ESRCH)
            return 1; /* it is held, whoever is named */
    }
    return 0;
}

/* ---- Parting -------------------------------------------------------------------------------- */

/* One who leaves a marker. */
struct parting {
    const char *path;
    struct shared_lock lock;
    int64_t sharer;
    int known; /* 1: some other process holds it */

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

static int prepare(struct parting *parting, const struct identity *id, int fd)
{
    int rc = flk_shared_lock_of(fd, id, &parting->lock);

    if (rc == 0)
        rc = parting->known = flk_heirs_name(fd, fd, &parting->lock, parting->sharer);
    return rc < 0 ? rc : open_again(parting);
}

/* The lock on the marker tells, once one's own copy of the open file is closed.  NFS wants a file that can be written. */
static bool is_last(const struct parting *parting, int *locked)
{
    *locked = flk_marker_lock(parting->writable >= 0 ? parting->writable : parting->fd);
    return *locked == 0;
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
 * Whoever is last removes the marker.  Where there are no locks, those who are seen to have it open have to tell who
 * that is.
 */
static void settle(const struct parting *parting)
{
    int locked, known = 0;
    bool last = is_last(parting, &locked);

    if (!last)
        known = flk_heirs_name(parting->fd, parting->writable, &parting->lock, parting->sharer);
    if (known == 0 && !last) /* whoever held it has just left */
        last = is_last(parting, &locked) || (locked == -ENOTSUP && !parting->lock.listed);
    if (last)
        remove_last(parting);
    if (locked == 0)
        flk_marker_unlock(parting->writable >= 0 ? parting->writable : parting->fd);
}

int flk_marker_part(const char *path, const struct identity *id, int64_t sharer, bool for_good, int *fd)
{
    struct parting parting = { .path = path, .lock = { .id = *id }, .sharer = sharer, .fd = -1, .writable = -1 };
    int rc = prepare(&parting, id, *fd);

    if (rc != 0 && !for_good)
        return rc;
    if (rc == 0 && parting.known == 0 && parting.fd < 0)
        (void) flk_file_write(*fd, "", 0); /* it is somewhere else, and nobody's */
    flk_guard_lock();
    flk_file_close(*fd);
    *fd = -1;
    flk_guard_unlock();
    if (rc != 0)
        (void) open_again(&parting); /* there is room for one now */
    if (parting.fd >= 0)
        settle(&parting);
    close_again(&parting);
    return 0;
}
