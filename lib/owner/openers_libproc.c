/* SPDX-License-Identifier: MIT
 *
 * Finding the processes that have a file open, by libproc of macOS.  A process that has no privileges can look only
 * into processes of its own user.
 */
#include "config.h"

#include <errno.h>
#include <libproc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/fcntl.h>

#include "owner/openers.h"
#include "owner/process_id.h"
#include "owner/writers.h"
#include "system/file.h"

/* Ask for room for this many more than there were: a process may open files, or fork, before the next call. */
#define SPARE 16

/* ---- One process ---------------------------------------------------------------------------- */

/*
 * Lists the descriptors of a process, to be freed.  Returns how many, or
 *   -ESRCH   there is no such process
 *   -EPERM   its descriptors cannot be looked at
 *   -ENOMEM
 */
static int list_descriptors(int pid, struct proc_fdinfo **fds)
{
    const int each = (int) sizeof(struct proc_fdinfo);
    int size = SPARE * each, used;

    for (;;) {
        *fds = malloc((size_t) size);
        if (*fds == NULL)
            return -ENOMEM;
        errno = 0; /* after 0 it tells an error from a process without descriptors */
        used = proc_pidinfo(pid, PROC_PIDLISTFDS, 0, *fds, size);
        if (used <= size - each && (used > 0 || errno == 0))
            return used / each;
        free(*fds);
        if (used <= 0)
            return errno == ESRCH || errno == ENOMEM ? -errno : -EPERM;
        size *= 2; /* the list is full, so it may have been cut */
    }
}

/* True if the descriptor is of the file, and the file is open in all these ways: FREAD, FWRITE. */
static bool is_sought(int pid, const struct proc_fdinfo *fd, const struct identity *id, unsigned access)
{
    struct vnode_fdinfo info;

    return fd->proc_fdtype == PROX_FDTYPE_VNODE &&
           proc_pidfdinfo(pid, fd->proc_fd, PROC_PIDFDVNODEINFO, &info, (int) sizeof(info)) == (int) sizeof(info) &&
           (info.pfi.fi_openflags & access) == access && info.pvi.vi_stat.vst_ino == id->inode &&
           info.pvi.vi_stat.vst_dev == (uint32_t) id->device;
}

/* Tells whether a process has the file open.  Returns enum holds, or -ENOMEM. */
static int has_open(int pid, const struct identity *id, unsigned access)
{
    struct proc_fdinfo *fds;
    int count = list_descriptors(pid, &fds), found = HOLDS_NOT;

    if (count < 0)
        return count == -ENOMEM ? count : count == -ESRCH ? HOLDS_NOT : HOLDS_UNSEEN;
    for (int i = 0; found == HOLDS_NOT && i < count; i++)
        if (is_sought(pid, &fds[i], id, access))
            found = HOLDS;
    free(fds);
    return found;
}

/* ---- All processes -------------------------------------------------------------------------- */

/* Lists the pids of all processes, to be freed.  Returns how many, or -ENOMEM. */
static int list_processes(int **pids)
{
    int room = proc_listallpids(NULL, 0) + SPARE, count;

    for (;;) {
        *pids = malloc((size_t) room * sizeof(**pids));
        if (*pids == NULL)
            return -ENOMEM;
        count = proc_listallpids(*pids, room * (int) sizeof(**pids));
        if (count < room)
            return count > 0 ? count : 0;
        free(*pids);
        room *= 2; /* the list is full, so it may have been cut */
    }
}

/*
 * Finds a process that has the file open.  besides: the pid of a process that is passed over.  Returns
 *   HOLDS         *pid has the file open
 *   HOLDS_NOT     no process has it open
 *   HOLDS_UNSEEN  none is seen to, but a process cannot be looked into
 *   -ENOMEM
 */
static int find_opener(const struct identity *id, unsigned access, int64_t besides, int64_t *pid)
{
    int *pids, count = list_processes(&pids), found = HOLDS_NOT;
    bool unseen = count == 0;

    if (count < 0)
        return count;
    for (int i = 0; found != HOLDS && found >= 0 && i < count; i++) {
        *pid = pids[i];
        found = *pid > 0 && *pid != besides ? has_open(pids[i], id, access) : HOLDS_NOT; /* 0 is the kernel */
        unseen = unseen || found == HOLDS_UNSEEN;
    }
    free(pids);
    return found == HOLDS || found < 0 ? found : unseen ? HOLDS_UNSEEN : HOLDS_NOT;
}

/*
 * Looks twice before it says that there is no writer.  During the first look, a process that is not yet looked at may
 * fork a child whose pid was already passed, and end.
 */
int flk_file_writers(int fd, const struct identity *id)
{
    int64_t pid;
    int found = HOLDS_NOT;

    (void) fd;
    for (int i = 0; i < 2 && found == HOLDS_NOT; i++)
        found = find_opener(id, FWRITE, 0, &pid);
    if (found < 0)
        return found;
    return found == HOLDS ? WRITERS_SEEN : found == HOLDS_NOT ? WRITERS_NONE : WRITERS_UNSEEN;
}

/* ---- Shared locks --------------------------------------------------------------------------- */

int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock)
{
    (void) fd;
    *lock = (struct shared_lock) { .id = *id };
    return 0;
}

int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid)
{
    return has_open((int) pid, &lock->id, FREAD | FWRITE);
}

int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid)
{
    int found = find_opener(&lock->id, FREAD | FWRITE, flk_process_pid(), pid);

    return found == HOLDS_UNSEEN ? HOLDS_NOT : found;
}
