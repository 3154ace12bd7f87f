/* SPDX-License-Identifier: MIT
 *
 * Who has a file open, from /proc/PID/fd and fdinfo of Linux (proc(5)): of one's own processes only, unless
 * privileged.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/file.h"
#include "posix/openers.h"
#include "posix/proc.h"
#include "process_id.h"

/* ---- One open file -------------------------------------------------------------------------- */

/* What an open file is to have beside the identity. */
struct sought {
    const struct identity *id;
    mode_t access;                /* S_IRUSR, S_IWUSR: what it was opened for */
    const struct proc_lock *lock; /* NULL: any or none */
};

/*
 * It is told by who has taken it from one that somebody else has for a moment, to see whether it is free.  In a pid
 * namespace that is 0 once he has ended.
 */
static bool same_lock(const struct proc_lock *a, const struct proc_lock *b)
{
    return strcmp(a->name, b->name) == 0 && a->major == b->major && a->minor == b->minor && a->inode == b->inode &&
           a->first == b->first && a->last == b->last && (a->pid == b->pid || a->pid <= 0 || b->pid <= 0);
}

/*
 * The locks that an open file has ("lock:" lines): whether the wanted one is among them; without one, the first is
 * stored.  1, 0, or -errno.
 */
static int find_lock(const char *fdinfo, const struct proc_lock *wanted, struct proc_lock *found)
{
    static const char lead[] = "lock:";
    FILE *info = fopen(fdinfo, "re");
    char line[256];
    int rc = 0;

    if (info == NULL)
        return -errno;
    while (rc == 0 && fgets(line, sizeof(line), info) != NULL)
        if (strncmp(line, lead, sizeof(lead) - 1) == 0 && flk_proc_lock(line + sizeof(lead) - 1, found))
            rc = wanted == NULL || same_lock(found, wanted);
    (void) fclose(info);
    return rc;
}

/* The mode of the link tells what the file was opened for. */
static int is_sought(int fds, const char *pid, const char *name, const struct sought *sought)
{
    struct stat st;
    struct proc_lock lock;
    char fdinfo[64];

    if (fstatat(fds, name, &st, 0) != 0 || st.st_dev != sought->id->device || st.st_ino != sought->id->inode)
        return 0;
    if (fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || (st.st_mode & sought->access) != sought->access)
        return 0;
    if (sought->lock == NULL)
        return 1;
    (void) snprintf(fdinfo, sizeof(fdinfo), "/proc/%.20s/fdinfo/%.20s", pid, name);
    return find_lock(fdinfo, sought->lock, &lock);
}

/* ---- One process ---------------------------------------------------------------------------- */

/* enum holds, or -errno for want of what it takes to look. */
static int has_open(const char *pid, const struct sought *sought)
{
    char path[64];
    struct dirent *entry;
    int found = HOLDS_NOT;
    DIR *fds;

    (void) snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    fds = opendir(path);
    if (fds == NULL)
        return flk_file_lacks_means(-errno) ? -errno : errno == ENOENT || errno == ESRCH ? HOLDS_NOT : HOLDS_UNSEEN;
    while (found == HOLDS_NOT && (entry = readdir(fds)) != NULL) {
        found = is_sought(dirfd(fds), pid, entry->d_name, sought);
        if (found < 0 && !flk_file_lacks_means(found))
            found = HOLDS_NOT; /* it is closed by now */
    }
    (void) closedir(fds);
    return found;
}

/* ---- All processes -------------------------------------------------------------------------- */

static bool is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
}

/* 1, 0 or -errno; besides: a process that is passed over; pid: who it is. */
static int find_opener(const struct sought *sought, int64_t besides, int64_t *pid)
{
    struct dirent *entry;
    int found = HOLDS_NOT;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return flk_file_lacks_means(-errno) ? -errno : 0;
    while (found != HOLDS && found >= 0 && (entry = readdir(processes)) != NULL) {
        *pid = is_number(entry->d_name) ? strtoll(entry->d_name, NULL, 10) : 0;
        found = *pid != 0 && *pid != besides ? has_open(entry->d_name, sought) : HOLDS_NOT;
    }
    (void) closedir(processes);
    return found == HOLDS_UNSEEN ? 0 : found;
}

int flk_file_is_written(const struct identity *id)
{
    struct sought sought = { .id = id, .access = S_IWUSR };
    int64_t pid;

    return find_opener(&sought, 0, &pid);
}

/* ---- Locks that are shared ------------------------------------------------------------------ */

int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock)
{
    char fdinfo[48];
    int rc;

    *lock = (struct shared_lock) { .id = *id };
    (void) snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
    rc = flk_proc_is_ours() ? find_lock(fdinfo, NULL, &lock->lock) : 0;
    lock->listed = rc == 1;
    return flk_file_lacks_means(rc) ? rc : 0;
}

static struct sought sought_by(const struct shared_lock *lock)
{
    return (struct sought) { .id = &lock->id,
                             .access = lock->listed ? 0 : S_IRUSR | S_IWUSR,
                             .lock = lock->listed ? &lock->lock : NULL };
}

int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid)
{
    struct sought sought = sought_by(lock);
    char number[24];

    (void) snprintf(number, sizeof(number), "%lld", (long long) pid);
    return flk_proc_is_ours() ? has_open(number, &sought) : HOLDS_UNSEEN;
}

int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid)
{
    struct sought sought = sought_by(lock);

    return flk_proc_is_ours() ? find_opener(&sought, flk_process_pid(), pid) : 0;
}
