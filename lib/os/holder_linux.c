/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, found in /proc/locks of Linux (proc(5)) and in the owner record of the file.
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

#include "kind.h"
#include "os/holder.h"
#include "os/os_kind.h"
#include "outcome.h"
#include "owner/ask.h"
#include "owner/life.h"
#include "owner/openers.h"
#include "owner/owner.h"
#include "owner/proc.h"
#include "owner/proc_text.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/remote.h"

/* ---- The file as the kernel lists it -------------------------------------------------------- */

/* Numbers of file systems (statfs(2)). */
#define BTRFS 0x9123683E
#define OVERLAYFS 0x794C7630

struct listed {
    bool known; /* the device is certain; else it may be another */
    unsigned major, minor;
    uint64_t inode;
};

/* Returns the number of the mount that the descriptor is on, from its fdinfo; -1 if the kernel does not say. */
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
 * Finds the device in the table of mounts.  Locks are listed by the device of the file system, which stat(2) does not
 * always tell: for btrfs and overlayfs it tells a device of the subvolume or layer.
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

/*
 * True if stat(2) tells the device of the file system.  That is needed in a jail (chroot(2)), where the table lacks the
 * mounts that are not below the root of the process.
 */
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

/* What the list tells of the lock's holder. */
struct sighting {
    bool held;
    bool certain; /* if there were a holder, it would be seen */
    int64_t pid;  /* the process that took the lock; 0: unknown */
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

static bool matches(const struct proc_lock *lock, const struct target *target, const struct listed *listed)
{
    return is_word_of(lock->name, flk_backend_of(target)->proc_names) && lock->major == listed->major &&
           lock->minor == listed->minor && lock->inode == listed->inode && covers(&target->range, lock);
}

#define TEXT_SIZE 65536

static char *enlarged(char *text, size_t *size)
{
    char *more = realloc(text, *size * 2 + 1);

    if (more == NULL)
        free(text);
    *size *= 2;
    return more;
}

/*
 * Reads the list until it has at least `enough` bytes, and returns it NUL-terminated, to be freed.  NULL: it cannot be
 * read.  first: the bytes that the first read asks for, which decides where the kernel divides the list into pieces.
 */
static char *read_locks(size_t first, size_t enough, size_t *have)
{
    int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
    size_t size = TEXT_SIZE, wanted = first;
    char *text = fd >= 0 ? malloc(size + 1) : NULL;
    ssize_t n = 1;

    *have = 0;
    while (text != NULL && *have < enough && (n = read(fd, text + *have, wanted)) > 0) {
        *have += (size_t) n;
        if (size - *have < TEXT_SIZE / 2)
            text = enlarged(text, &size);
        wanted = size - *have;
    }
    if (fd >= 0)
        (void) close(fd);
    if (text != NULL && n >= 0) {
        text[*have] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* Size of a word that each line of a lock on the file has. */
#define FILE_WORD 64

static void file_word(const struct listed *listed, char word[FILE_WORD])
{
    (void) snprintf(word, FILE_WORD, " %02x:%02x:%" PRIu64 " ", listed->major, listed->minor, listed->inode);
}

static bool find_line(const char *text, const struct target *target, const struct listed *listed,
                      struct proc_lock *lock)
{
    char word[FILE_WORD], line[256];

    file_word(listed, word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        const char *begin = at;

        while (begin > text && begin[-1] != '\n')
            begin--;
        (void) snprintf(line, sizeof(line), "%.*s", (int) strcspn(begin, "\n"), begin);
        if (flk_proc_lock(line, lock) && matches(lock, target, listed))
            return true;
    }
    return false;
}

/* Give up after so many passes in which the list changes: other processes may lock and unlock all the time. */
#define MAX_PASSES 4

/* The first read of a pass asks for less than a page, the most that comes in one piece, and for less in each pass. */
#define FIRST_READ 2048
#define FIRST_READ_STEP 512

/*
 * Looks for the lock in the list, which the kernel hands out in pieces.  A lock that ends between two pieces moves the
 * later locks up, and hides the lock that was next.  Nothing can be missed in a list of a single piece.  A longer list
 * is read until two passes in turn give the same text: their pieces end in different places, so no line is hidden from
 * both.
 */
static void search_list(const struct target *target, const struct listed *listed, struct sighting *seen)
{
    struct proc_lock *lock = &seen->lock.lock;
    char *before = NULL;
    bool complete = false;

    for (size_t pass = 0; !seen->held && !complete && pass < MAX_PASSES; pass++) {
        size_t first = FIRST_READ - pass * FIRST_READ_STEP, have;
        char *text = read_locks(first, SIZE_MAX, &have);

        complete = text == NULL || have < first || (before != NULL && strcmp(before, text) == 0);
        seen->certain = seen->certain && text != NULL;
        seen->held = text != NULL && find_line(text, target, listed, lock);
        if (seen->held)
            seen->pid = lock->pid > 0 && flk_proc_is_ours() ? lock->pid : 0;
        free(before);
        before = text;
    }
    free(before);
}

/*
 * Stop after this much of the list, some 900 locks, in a release.  If a release read all of a long list, it would take
 * time for each lock in it, and hold up the processes that lock and unlock.
 */
#define MAX_GLANCE 65536

/* Returns the line in which `at` lies, from the end of its number on. */
static const char *line_of(const char *text, const char *at, size_t *length)
{
    const char *line;

    while (at > text && at[-1] != '\n')
        at--;
    line = at + strspn(at, "0123456789");
    *length = strcspn(line, "\n");
    return line;
}

/*
 * True if the list has more for the file than a single line, which is the caller's lock.  Waits are lines as well, each
 * below its lock: "1: -> FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF".  If the list grew between two of its pieces, a
 * line may come twice, so lines with the same text count once: no other lock has the text of the caller's.
 */
static bool lists_another(const char *text, const char *word)
{
    const char *first = NULL;
    size_t first_length = 0;

    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        size_t length;
        const char *line = line_of(text, at, &length);

        if (first != NULL && (length != first_length || memcmp(line, first, length) != 0))
            return true;
        first = line;
        first_length = length;
    }
    return false;
}

/* Makes two passes, as search_list() does: a line that is hidden from one is seen by the other. */
bool flk_file_is_wanted(int fd)
{
    struct listed listed = { 0 };
    char word[FILE_WORD];
    bool complete = false, wanted = false;

    if (find_listed(fd, &listed) != 0 || !listed.known)
        return false;
    file_word(&listed, word);
    for (size_t pass = 0; pass < 2 && !complete && !wanted; pass++) {
        size_t first = FIRST_READ - pass * FIRST_READ_STEP, have;
        char *text = read_locks(first, MAX_GLANCE, &have);

        complete = text == NULL || have < first;
        wanted = text != NULL && lists_another(text, word);
        free(text);
    }
    return wanted;
}

/* ---- Putting it together -------------------------------------------------------------------- */

static bool read_record(const struct target *target, struct record *record)
{
    bool found, borrowed = target->path == NULL;
    int fd = borrowed ? target->fd : flk_file_open_to_ask(target->path, flk_target_follows(target), &borrowed);

    if (fd < 0)
        return false;
    found = flk_owner_read(fd, record);
    if (!borrowed)
        flk_file_close(fd);
    return found && record->claim == CLAIM_OWNER;
}

/* True unless it is seen that the process does not hold the lock. */
static bool may_hold(const struct record *process, const struct sighting *seen)
{
    if (!seen->held || !flk_process_local(process))
        return flk_process_life(process) != LIFE_DEAD;
    return flk_process_life_here(process) != LIFE_DEAD &&
           flk_shared_lock_held_by(&seen->lock, process->pid) != HOLDS_NOT;
}

/* True if the process of a record is seen to have the lock. */
static bool is_holder(const struct record *process, const struct sighting *seen)
{
    return seen->held && flk_process_local(process) && flk_process_life_here(process) != LIFE_DEAD &&
           flk_shared_lock_held_by(&seen->lock, process->pid) == HOLDS;
}

/* True if a process is seen to have the lock, which is then *pid. */
static bool find_holder(const struct sighting *seen, int64_t *pid)
{
    *pid = flk_process_pid();
    return seen->held &&
           (flk_shared_lock_held_by(&seen->lock, *pid) == HOLDS || flk_shared_lock_find(&seen->lock, pid) == HOLDS);
}

/*
 * Names the holder in owner.  Returns 0, or -ENOTSUP if nothing is known.
 *
 * The list of the kernel counts more than a record, which an earlier holder may have left behind.  But the list names
 * the process that took the lock.  If that process has ended or closed the file, the holder is a process that got the
 * open file from it.  A process that is seen not to hold the lock is never named.  If no holder can be seen and the
 * process that took the lock has ended, that process is named.
 */
static int identify_holder(const struct target *target, const struct sighting *seen, struct filelock_owner *owner)
{
    struct record taker, named;
    bool recorded;

    flk_process_self(&taker);
    taker.pid = seen->pid;
    taker.token[0] = '\0';
    if (seen->pid > 0 && may_hold(&taker, seen)) {
        flk_owner_from_record(&taker, owner);
        return 0;
    }
    recorded = read_record(target, &named);
    if (recorded && is_holder(&named, seen)) {
        flk_owner_from_record(&named, owner);
    } else if (find_holder(seen, &taker.pid)) {
        flk_owner_from_record(&taker, owner);
    } else if (recorded && may_hold(&named, seen)) {
        flk_owner_from_record(&named, owner);
    } else if (seen->held) {
        owner->local = 1;
        (void) snprintf(owner->host, sizeof(owner->host), "%.*s", (int) sizeof(owner->host) - 1, taker.host);
        taker.pid = seen->pid;
        if (seen->pid > 0 && flk_process_life_here(&taker) == LIFE_DEAD)
            flk_owner_from_record(&taker, owner);
    } else {
        return -ENOTSUP;
    }
    return 0;
}

/* Give up after so many files that were replaced, each before its holder was found. */
#define MAX_LOOKS 10

static enum outcome open_target(const struct target *target)
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

/* True if the path now names another file.  While the file is open, no other file can have its number. */
static bool is_outdated(const struct target *target, const struct identity *file)
{
    bool follow = flk_target_follows(target);
    struct identity id;

    return target->path != NULL && flk_file_path_identity(target->path, follow, &id) == 0 && !flk_file_same(&id, file);
}

/* Looks for the holder in the list.  AGAIN: no process holds the file, and another file has taken its place. */
static enum outcome look_for_holder(const struct target *target, int fd, struct sighting *seen)
{
    struct listed listed = { 0 };
    int rc = find_listed(fd, &listed);

    *seen = (struct sighting) { .certain = flk_process_sees_all(), .lock = { .listed = true } };
    if (rc == 0) {
        seen->certain = seen->certain && listed.known && !flk_file_is_remote(fd);
        rc = flk_file_identity(fd, &seen->lock.id);
        if (listed.known)
            search_list(target, &listed, seen);
    }
    if (rc == 0 && !seen->held && is_outdated(target, &seen->lock.id))
        rc = AGAIN;
    return rc;
}

/*
 * Finds the holder, and returns as flk_owner_of_file() does.  The file stays open until its holder is found, since
 * another file may get its number after that.  Returns AGAIN as look_for_holder() does, unless this is the last
 * look.
 */
static enum outcome find_owner(const struct target *target, bool last, struct filelock_owner *owner)
{
    struct sighting seen;
    int fd = open_target(target), rc;

    if (fd < 0)
        return fd;
    rc = look_for_holder(target, fd, &seen);
    if (rc == 0 || (rc == AGAIN && last))
        rc = !seen.held && seen.certain ? -ENOENT : identify_holder(target, &seen, owner);
    if (target->path != NULL)
        (void) close(fd);
    return rc;
}

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    int looks = 0, rc;

    do
        rc = find_owner(target, looks == MAX_LOOKS - 1, owner);
    while (rc == AGAIN && ++looks < MAX_LOOKS);
    return rc;
}

int flk_holder_write(int fd, const struct range *range, const char *text, size_t size)
{
    (void) range;
    return flk_file_write(fd, text, size);
}
