/* SPDX-License-Identifier: MIT
 *
 * Finding the processes that have a file open, by /proc/PID/fd and /proc/PID/fdinfo of Linux (proc(5)).  A process that
 * has no privileges can look only into processes of its own user.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "owner/openers.h"
#include "owner/proc.h"
#include "owner/proc_text.h"
#include "owner/process_id.h"
#include "owner/sha256.h"
#include "owner/writers.h"
#include "system/file.h"
#include "system/file_posix.h"

/* ---- One open file -------------------------------------------------------------------------- */

/* The open file that is looked for.  To compare identities may take a question to the file's server. */
struct sought {
    const struct identity *id;    /* of the file; compared only where both link and lock are NULL */
    const uint8_t *link;          /* SHA-256 of the link that /proc shows for the open file, or NULL */
    mode_t access;                /* S_IRUSR, S_IWUSR: what the file is open for */
    const struct proc_lock *lock; /* the lock that the open file has; NULL: any or none */
    const struct maker *maker;    /* NULL: processes that cannot be looked into do not matter */
};

/* The processes that can have made a file: those of a user, or any, because a process of root can become any user's. */
struct maker {
    bool any;
    uid_t uid;
};

/*
 * True if the lock that was found is the wanted one.  Another process may have a lock on the same file for a moment, to
 * see whether the file is free.  The pid of the process that took the lock tells the two locks apart.  In a pid
 * namespace the kernel shows 0 for that pid once the process has ended.
 */
static bool same_lock(const struct proc_lock *wanted, const struct proc_lock *found)
{
    return strcmp(wanted->name, found->name) == 0 && wanted->major == found->major && wanted->minor == found->minor &&
           wanted->inode == found->inode && wanted->first == found->first && wanted->last == found->last &&
           (wanted->pid == found->pid || found->pid <= 0);
}

/*
 * Reads the locks that an open file has: the "lock:" lines of its fdinfo.  If wanted is NULL, any lock will do, and the
 * first one is stored.  Returns
 *   1  the open file has the wanted lock
 *   0  it does not
 *   -errno
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

/*
 * Hashes the text of a link in /proc/PID/fd.  Returns
 *   1  *digest is the SHA-256 of the text
 *   0  the text cannot be read, or not all of it
 *   -ENOMEM
 */
static int hash_link(int folder, const char *name, uint8_t digest[32])
{
    char *link = malloc(PATH_MAX);
    ssize_t n;

    if (link == NULL)
        return -ENOMEM;
    n = readlinkat(folder, name, link, PATH_MAX);
    if (n > 0 && n < PATH_MAX)
        flk_sha256(link, (size_t) n, digest);
    free(link);
    return n > 0 && n < PATH_MAX;
}

static bool leads_to_file(int fds, const char *name)
{
    char first;

    return readlinkat(fds, name, &first, 1) == 1 && (first == '/' || first == '('); /* '(' begins "(unreachable)/..." */
}

/* Tells whether the descriptor is of the file that is looked for.  Returns 1, 0 or -ENOMEM. */
static int is_file(int fds, const char *name, const struct sought *sought)
{
    uint8_t digest[32];
    struct stat st;
    int rc;

    if (sought->link == NULL && sought->lock != NULL)
        return leads_to_file(fds, name);
    if (sought->link == NULL)
        return fstatat(fds, name, &st, 0) == 0 && st.st_dev == sought->id->device && st.st_ino == sought->id->inode;
    rc = hash_link(fds, name, digest);
    return rc == 1 ? memcmp(digest, sought->link, sizeof(digest)) == 0 : rc;
}

/*
 * Tells whether the descriptor is of the open file that is looked for.  The mode of the link in /proc shows what the
 * file was opened for.  It is looked at first, because that needs no answer of a server.  Returns HOLDS, HOLDS_NOT or
 * -errno.
 */
static int is_sought(int fds, const char *owner, const char *name, const struct sought *sought)
{
    struct stat st;
    struct proc_lock lock;
    char fdinfo[96];
    int rc;

    if (fstatat(fds, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || (st.st_mode & sought->access) != sought->access)
        return HOLDS_NOT;
    rc = is_file(fds, name, sought);
    if (rc != 1)
        return rc < 0 ? rc : HOLDS_NOT;
    if (sought->lock == NULL)
        return HOLDS;
    (void) snprintf(fdinfo, sizeof(fdinfo), "%.64s/fdinfo/%.20s", owner, name);
    return find_lock(fdinfo, sought->lock, &lock);
}

/* ---- One process ---------------------------------------------------------------------------- */

/*
 * Tells whether a process or thread has the file open.  owner: its directory in /proc.  *empty is set if it has no open
 * files.  Returns enum holds, or -EMFILE, -ENFILE or -ENOMEM.
 */
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
        return flk_error_no_resources(-errno) ? -errno : HOLDS_UNSEEN;
    *empty = true;
    while (found == HOLDS_NOT && (entry = readdir(fds)) != NULL) {
        if (!flk_proc_is_number(entry->d_name))
            continue;
        *empty = false;
        found = is_sought(dirfd(fds), owner, entry->d_name, sought);
        if (found < 0 && !flk_error_no_resources(found))
            found = HOLDS_NOT; /* the descriptor was closed meanwhile */
    }
    (void) closedir(fds);
    return found;
}

/* Tells as has_open() does, for a process whose first thread has ended: any other thread shows the open files. */
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
        return flk_error_no_resources(-errno) ? -errno : HOLDS_NOT;
    while (empty && (entry = readdir(threads)) != NULL) {
        if (!flk_proc_is_number(entry->d_name))
            continue;
        (void) snprintf(path, sizeof(path), "/proc/%lld/task/%.20s", (long long) pid, entry->d_name);
        found = has_open(path, sought, &empty);
        empty = empty || found == HOLDS_UNSEEN; /* this thread has ended, so look at another */
    }
    (void) closedir(threads);
    return found == HOLDS_UNSEEN ? HOLDS_NOT : found;
}

/* Tells as has_open() does.  A process that is not in /proc may be hidden there (hidepid), so kill(2) is asked too. */
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

/* True if one of the four user ids of the process is the maker's, or if the ids cannot be read. */
static bool may_have_made(int64_t pid, const struct maker *maker)
{
    unsigned long ids[4];
    char path[48], line[256];
    bool may = true;
    FILE *status;

    if (maker->any)
        return true;
    (void) snprintf(path, sizeof(path), "/proc/%lld/status", (long long) pid);
    status = fopen(path, "re");
    if (status == NULL)
        return errno != ENOENT;
    while (fgets(line, sizeof(line), status) != NULL)
        if (sscanf(line, "Uid: %lu %lu %lu %lu", &ids[0], &ids[1], &ids[2], &ids[3]) == 4)
            may = ids[0] == maker->uid || ids[1] == maker->uid || ids[2] == maker->uid || ids[3] == maker->uid;
    (void) fclose(status);
    return may;
}

/* ---- All processes -------------------------------------------------------------------------- */

/*
 * Finds a process that has the file open.  besides: the pid of a process that is passed over.  Returns
 *   HOLDS         *pid has the file open
 *   HOLDS_NOT     no process is seen to have it open
 *   HOLDS_UNSEEN  none is seen to, but a process that may have made the file cannot be looked into
 *   -EMFILE, -ENFILE or -ENOMEM
 */
static int find_opener(const struct sought *sought, int64_t besides, int64_t *pid)
{
    struct dirent *entry;
    int found = HOLDS_NOT;
    bool unseen = false;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return flk_error_no_resources(-errno) ? -errno : HOLDS_UNSEEN;
    while (found != HOLDS && found >= 0 && (entry = readdir(processes)) != NULL) {
        *pid = flk_proc_is_number(entry->d_name) ? strtoll(entry->d_name, NULL, 10) : 0;
        found = *pid != 0 && *pid != besides ? process_has_open(*pid, sought) : HOLDS_NOT;
        if (found == HOLDS_UNSEEN && !unseen && sought->maker != NULL)
            unseen = may_have_made(*pid, sought->maker);
    }
    (void) closedir(processes);
    return found == HOLDS || found < 0 ? found : unseen ? HOLDS_UNSEEN : HOLDS_NOT;
}

/* ---- The maker of a file -------------------------------------------------------------------- */

/* The user id that a user namespace shows for every user that it does not contain. */
#define OVERFLOW_UID 65534
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDu /* PROC_USER_INIT_INO, fixed by the kernel */

static bool is_known_user(uid_t uid)
{
    struct stat st;

    return uid != OVERFLOW_UID || (stat("/proc/self/ns/user", &st) == 0 && st.st_ino == INITIAL_USER_NAMESPACE);
}

/* True if the file system stores the owner of a file.  Where it does not, the mount sets one owner for all files. */
static bool keeps_owners(int fd)
{
    static const uint32_t magic[] = {
        0x4D44, 0x2011BAB0, 0x5346544E, 0x7366746E, 0x4244, 0x482B, /* vfat exfat ntfs ntfs3 hfs hfsplus */
    };
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < sizeof(magic) / sizeof(*magic); i++)
        if ((uint32_t) fs.f_type == magic[i])
            return false;
    return true;
}

static struct maker maker_of(int fd)
{
    struct stat st;

    if (flk_file_stat(fd, &st) != 0 || st.st_uid == 0 || !is_known_user(st.st_uid) || !keeps_owners(fd))
        return (struct maker) { .any = true };
    return (struct maker) { .uid = st.st_uid };
}

/*
 * True if /proc lists all processes of the host.  They all have a pid only in the initial pid namespace.  Where /proc
 * hides processes of other users (hidepid), it hides process 1 too.
 */
static bool all_are_listed(void)
{
    return flk_process_sees_all() && flk_proc_is_ours() && access("/proc/1", F_OK) == 0;
}

/*
 * Looks twice before it says that there is no writer.  During the first look, a process that is not yet looked at may
 * fork a child whose pid was already passed, and end.
 */
int flk_file_writers(int fd, const struct identity *id)
{
    struct maker maker = maker_of(fd);
    struct sought sought = { .id = id, .access = S_IWUSR, .maker = &maker };
    int64_t pid;
    int found = flk_proc_is_ours() ? HOLDS_NOT : HOLDS_UNSEEN;

    for (int i = 0; i < 2 && found == HOLDS_NOT; i++)
        found = find_opener(&sought, 0, &pid);
    if (found == HOLDS)
        return WRITERS_SEEN;
    return found < 0 ? found : found == HOLDS_NOT && all_are_listed() ? WRITERS_NONE : WRITERS_UNSEEN;
}

/* ---- Shared locks --------------------------------------------------------------------------- */

int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock)
{
    char path[48];
    int rc;

    *lock = (struct shared_lock) { .id = *id };
    if (!flk_proc_is_ours())
        return 0;
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    rc = hash_link(AT_FDCWD, path, lock->link);
    if (rc < 0)
        return rc;
    lock->shown = rc == 1;
    (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    rc = find_lock(path, NULL, &lock->lock);
    lock->listed = rc == 1;
    return flk_error_no_resources(rc) ? rc : 0;
}

static struct sought sought_by(const struct shared_lock *lock)
{
    return (struct sought) { .id = &lock->id,
                             .link = lock->shown ? lock->link : NULL,
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

    int found = flk_proc_is_ours() ? find_opener(&sought, flk_process_pid(), pid) : HOLDS_NOT;

    return found == HOLDS_UNSEEN ? HOLDS_NOT : found;
}
