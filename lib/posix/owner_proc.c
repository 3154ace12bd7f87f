/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, from /proc/locks of Linux (proc(5)) and from the owner record in the file.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backend.h"
#include "owner.h"
#include "posix/file.h"
#include "posix/openers.h"
#include "posix/proc.h"
#include "posix/proc_text.h"
#include "process_id.h"

/* ---- The file as the kernel lists it -------------------------------------------------------- */

/* Numbers of file systems (statfs(2)). */
#define BTRFS 0x9123683E
#define OVERLAYFS 0x794C7630

struct listed {
    bool known; /* the device may be another otherwise */
    unsigned major, minor;
    uint64_t inode;
};

/* A line of fdinfo: which mount the descriptor is on; -1: the kernel does not say. */
static int mount_id(int fd)
{
    char path[48], line[256];
    int id = -1;
    FILE *info;

    (void) snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "re");
    if (info == NULL)
        return -1;
    while (id < 0 && fgets(line, sizeof(line), info) != NULL)
        if (sscanf(line, "mnt_id: %d", &id) != 1)
            id = -1;
    (void) fclose(info);
    return id;
}

/*
 * Locks are listed by the device of the file system, which stat(2) does not tell on all of them
 * (btrfs and overlayfs answer with a device of the subvolume or layer); the table of mounts does.
 */
static bool find_device(int fd, struct listed *listed)
{
    int wanted = mount_id(fd), id;
    FILE *mounts = wanted >= 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    unsigned major, minor;
    bool found = false;
    char *line = NULL;
    size_t size = 0;

    if (mounts == NULL)
        return false;
    while (!found && getline(&line, &size, mounts) > 0) {
        found = sscanf(line, "%d %*d %u:%u", &id, &major, &minor) == 3 && id == wanted;
        if (found) {
            listed->major = major;
            listed->minor = minor;
        }
    }
    free(line);
    (void) fclose(mounts);
    return found;
}

/* The table lacks what is not below the root of a process in a jail (chroot(2)). */
static bool stat_tells_device(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && (uint32_t) fs.f_type != BTRFS && (uint32_t) fs.f_type != OVERLAYFS;
}

static int find_listed(int fd, struct listed *listed)
{
    struct stat st;
    int rc = flk_file_stat(fd, &st);

    if (rc != 0)
        return rc;
    if (S_ISLNK(st.st_mode))
        return -ELOOP;
    listed->major = major(st.st_dev);
    listed->minor = minor(st.st_dev);
    listed->inode = st.st_ino;
    listed->known = find_device(fd, listed) || stat_tells_device(fd);
    return 0;
}

/* ---- The list ------------------------------------------------------------------------------- */

/* What was seen of the lock's holder. */
struct sighting {
    bool held;
    bool certain; /* a holder would be seen if there were one */
    int64_t pid;  /* who has taken it; 0: not told */
    struct shared_lock lock;
};

static bool is_word_of(const char *word, const char *words)
{
    size_t length = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static bool covers(const struct range *range, const struct proc_lock *lock)
{
    return lock->last >= range->start && (range->length == 0 || lock->first < range->start + range->length);
}

static bool is_of(const struct proc_lock *lock, const struct target *target, const struct listed *listed)
{
    return is_word_of(lock->name, target->kind->backend->proc_names) && lock->major == listed->major &&
           lock->minor == listed->minor && lock->inode == listed->inode && covers(&target->range, lock);
}

#define TEXT_SIZE 65536
#define READS_MOST 10

/* So much the kernel hands out at once if there is so much: as many locks as fit in a page. */
#define PIECE_LEAST 2048

/*
 * The list, NUL-terminated, to be freed.  whole: nothing of it can be missing, for it came in one piece, and that was
 * not the first of two: each but the first begins where the last had ended, in a list that may have become shorter.
 */
static char *read_locks(bool *whole)
{
    size_t size = TEXT_SIZE, have = 0;
    char *text = malloc(size), *more;
    int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    while (fd >= 0 && text != NULL && (n = read(fd, text + have, size - have - 1)) > 0) {
        have += (size_t) n;
        if (size - have > TEXT_SIZE / 2)
            continue;
        size *= 2;
        more = realloc(text, size);
        if (more == NULL)
            free(text);
        text = more;
    }
    if (fd >= 0)
        (void) close(fd);
    if (fd < 0 || n < 0 || text == NULL) {
        free(text);
        return NULL;
    }
    text[have] = '\0';
    *whole = have < PIECE_LEAST;
    return text;
}

static bool search(char *text, const struct target *target, const struct listed *listed, struct proc_lock *lock)
{
    char *rest = text, *line;

    while ((line = strtok_r(rest, "\n", &rest)) != NULL)
        if (flk_proc_lock(line, lock) && is_of(lock, target, listed))
            return true;
    return false;
}

/* Where locks come and go between the pieces, a line may be missed: what was not found is looked for again. */
static void look_up(const struct target *target, const struct listed *listed, struct sighting *seen)
{
    struct proc_lock *lock = &seen->lock.lock;
    bool whole = false;

    for (int reads = 0; !seen->held && !whole && reads < READS_MOST; reads++) {
        char *text = read_locks(&whole);

        if (text == NULL) {
            seen->certain = false;
            return;
        }
        seen->held = search(text, target, listed, lock);
        if (seen->held)
            seen->pid = lock->pid > 0 && flk_proc_is_ours() ? lock->pid : 0;
        free(text);
    }
}

/* ---- Putting it together -------------------------------------------------------------------- */

static bool read_record(const struct target *target, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    bool follow = (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0, own = target->path != NULL;
    int fd = own ? flk_file_open_to_read(target->path, follow) : target->fd;
    ssize_t size;

    if (fd < 0)
        return false;
    size = flk_file_read(fd, bytes, sizeof(bytes));
    if (own)
        flk_file_close(fd);
    return size > 0 && flk_record_parse(bytes, (size_t) size, record) == 0 && record->claim == CLAIM_OWNER;
}

/* As far as can be seen. */
static bool may_hold(const struct record *process, const struct sighting *seen)
{
    if (!seen->held || !flk_process_local(process))
        return flk_process_life(process) != LIFE_DEAD;
    return flk_process_life_here(process) != LIFE_DEAD &&
           flk_shared_lock_held_by(&seen->lock, process->pid) != HOLDS_NOT;
}

/*
 * The kernel's word counts more than a record, which an earlier holder may have left behind.  But it names who has
 * taken the lock, be he dead or have released it, and others hold it that he has forked.
 */
static int identify_holder(const struct target *target, const struct sighting *seen, struct filelock_owner *owner)
{
    struct record taker, named;

    flk_process_self(&taker);
    taker.pid = seen->pid;
    taker.token[0] = '\0';
    if (seen->pid > 0 && may_hold(&taker, seen)) {
        flk_owner_from_record(&taker, owner);
    } else if (read_record(target, &named) && may_hold(&named, seen)) {
        flk_owner_from_record(&named, owner);
    } else if (seen->pid > 0) {
        flk_owner_from_record(&taker, owner);
    } else if (seen->held) {
        owner->local = 1;
        (void) snprintf(owner->host, sizeof(owner->host), "%.*s", (int) sizeof(owner->host) - 1, taker.host);
    } else {
        return -ENOTSUP;
    }
    return 0;
}

/* Files that came and went, each before its holder was found. */
#define LOOKS_MOST 10

static int open_target(const struct target *target)
{
    int flags = O_PATH | O_CLOEXEC, fd;

    if (target->path == NULL)
        return target->fd;
    if ((target->flags & FILELOCK_FOLLOW_SYMLINK) == 0)
        flags |= O_NOFOLLOW;
    do
        fd = open(target->path, flags);
    while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : -errno;
}

/* Whether the file is not the one that counts any more.  While it is open no other can have its number. */
static bool is_outdated(const struct target *target, const struct identity *file)
{
    bool follow = (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0;
    struct identity id;

    return target->path != NULL && flk_file_path_identity(target->path, follow, &id) == 0 && !flk_file_same(&id, file);
}

/* FLK_CONTENDED: nobody holds the file, and another has come in its place. */
static int look_for_holder(const struct target *target, struct sighting *seen)
{
    struct listed listed = { 0 };
    int fd = open_target(target), rc;

    *seen = (struct sighting) { .certain = flk_process_sees_all(), .lock = { .listed = true } };
    if (fd < 0)
        return fd;
    rc = find_listed(fd, &listed);
    if (rc == 0) {
        seen->certain = seen->certain && listed.known && !flk_file_is_remote(fd);
        rc = flk_file_identity(fd, &seen->lock.id);
        if (listed.known)
            look_up(target, &listed, seen);
    }
    if (rc == 0 && !seen->held && is_outdated(target, &seen->lock.id))
        rc = FLK_CONTENDED;
    if (target->path != NULL)
        (void) close(fd);
    return rc;
}

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    struct sighting seen;
    int looks = 0, rc;

    do
        rc = look_for_holder(target, &seen);
    while (rc == FLK_CONTENDED && ++looks < LOOKS_MOST);
    if (rc < 0)
        return rc;
    return !seen.held && seen.certain ? -ENOENT : identify_holder(target, &seen, owner);
}
