/* SPDX-License-Identifier: MIT
 *
 * Who has a file open, from /proc/PID/fd and fdinfo of Linux (proc(5)): of one's own processes only, unless
 * privileged.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* What an open file is to be. */
struct sought {
    const struct identity *id;    /* by the file, which a server may have to be asked for; or ... */
    const char *link;             /* ... by what /proc shows, if it is not NULL */
    mode_t access;                /* S_IRUSR, S_IWUSR: what it was opened for */
    const struct proc_lock *lock; /* NULL: any or none */
};

/*
 * It is told by who has taken it from one that somebody else has for a moment, to see whether it is free.  In a pid
 * namespace that is 0 once he has ended.
 */
static bool same_lock(const struct proc_lock *wanted, const struct proc_lock *found)
{
    return strcmp(wanted->name, found->name) == 0 && wanted->major == found->major && wanted->minor == found->minor &&
           wanted->inode == found->inode && wanted->first == found->first && wanted->last == found->last &&
           (wanted->pid == found->pid || found->pid <= 0);
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
            rc = wanted == NULL || same_lock(wanted, found);
    (void) fclose(info);
    return rc;
}

/* Of a magic link of proc(5), NUL-terminated; "" if it cannot be read, or not all of it. */
static void read_link(int folder, const char *name, char link[PATH_MAX])
{
    ssize_t n = readlinkat(folder, name, link, PATH_MAX);

    link[n > 0 && n < PATH_MAX ? n : 0] = '\0';
}

static bool is_file(int fds, const char *name, const struct sought *sought)
{
    char link[PATH_MAX];
    struct stat st;

    if (sought->link == NULL)
        return fstatat(fds, name, &st, 0) == 0 && st.st_dev == sought->id->device && st.st_ino == sought->id->inode;
    read_link(fds, name, link);
    return link[0] != '\0' && strcmp(link, sought->link) == 0;
}

/* Its own mode is what the file was opened for. */
static int is_sought(int fds, const char *owner, const char *name, const struct sought *sought)
{
    struct stat st;
    struct proc_lock lock;
    char fdinfo[96];

    if (!is_file(fds, name, sought) || fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        (st.st_mode & sought->access) != sought->access)
        return HOLDS_NOT;
    if (sought->lock == NULL)
        return HOLDS;
    (void) snprintf(fdinfo, sizeof(fdinfo), "%.64s/fdinfo/%.20s", owner, name);
    return find_lock(fdinfo, sought->lock, &lock);
}

/* ---- One process ---------------------------------------------------------------------------- */

static bool is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
}

/* owner: /proc/PID, or that of a thread.  enum holds, or -errno for want of what it takes; *empty: it has no files. */
static int has_open(const char *owner, const struct sought *sought, bool *empty)
{
    char path[96];
    struct dirent *entry;
    int found = HOLDS_NOT;
    DIR *fds;

    (void) snprintf(path, sizeof(path), "%.64s/fd", owner);
    *empty = false;
    fds = opendir(path);
    if (fds == NULL)
        return flk_file_lacks_means(-errno) ? -errno : HOLDS_UNSEEN;
    *empty = true;
    while (found == HOLDS_NOT && (entry = readdir(fds)) != NULL) {
        if (!is_number(entry->d_name))
            continue;
        *empty = false;
        found = is_sought(dirfd(fds), owner, entry->d_name, sought);
        if (found < 0 && !flk_file_lacks_means(found))
            found = HOLDS_NOT; /* it is closed by now */
    }
    (void) closedir(fds);
    return found;
}

/* Of a process whose first thread has ended, any other has the files. */
static int threads_have_open(int64_t pid, const struct sought *sought)
{
    char path[96];
    struct dirent *entry;
    bool empty = true;
    int found = HOLDS_NOT;
    DIR *threads;

    (void) snprintf(path, sizeof(path), "/proc/%lld/task", (long long) pid);
    threads = opendir(path);
    if (threads == NULL)
        return flk_file_lacks_means(-errno) ? -errno : HOLDS_NOT;
    while (empty && (entry = readdir(threads)) != NULL) {
        if (!is_number(entry->d_name))
            continue;
        (void) snprintf(path, sizeof(path), "/proc/%lld/task/%.20s", (long long) pid, entry->d_name);
        found = has_open(path, sought, &empty);
        empty = empty || found == HOLDS_UNSEEN; /* that thread has ended */
    }
    (void) closedir(threads);
    return found == HOLDS_UNSEEN ? HOLDS_NOT : found;
}

/* A process that is not in /proc may be hidden there (hidepid). */
static int process_has_open(int64_t pid, const struct sought *sought)
{
    char path[48];
    bool empty;
    int found;

    (void) snprintf(path, sizeof(path), "/proc/%lld", (long long) pid);
    found = has_open(path, sought, &empty);
    if (empty)
        return threads_have_open(pid, sought);
    return found == HOLDS_UNSEEN && kill((pid_t) pid, 0) != 0 && errno == ESRCH ? HOLDS_NOT : found;
}

/* ---- All processes -------------------------------------------------------------------------- */

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
        found = *pid != 0 && *pid != besides ? process_has_open(*pid, sought) : HOLDS_NOT;
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
    char path[48];
    int rc;

    *lock = (struct shared_lock) { .id = *id };
    if (!flk_proc_is_ours())
        return 0;
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    read_link(AT_FDCWD, path, lock->link);
    (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    rc = find_lock(path, NULL, &lock->lock);
    lock->listed = rc == 1;
    return flk_file_lacks_means(rc) ? rc : 0;
}

static struct sought sought_by(const struct shared_lock *lock)
{
    return (struct sought) { .id = &lock->id,
                             .link = lock->link[0] != '\0' ? lock->link : NULL,
                             .access = lock->listed ? 0 : S_IRUSR | S_IWUSR,
                             .lock = lock->listed ? &lock->lock : NULL };
}

int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid)
{
    struct sought sought = sought_by(lock);

    return flk_proc_is_ours() ? process_has_open(pid, &sought) : HOLDS_UNSEEN;
}

int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid)
{
    struct sought sought = sought_by(lock);

    return flk_proc_is_ours() ? find_opener(&sought, flk_process_pid(), pid) : 0;
}
