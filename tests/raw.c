/* SPDX-License-Identifier: MIT
 *
 * raw.c - locks of the system, taken and looked at without the library.
 */
#define _GNU_SOURCE
#include "raw.h"

#include "markers.h"
#include "posix.h"

#include <stdio.h>
#include <sys/file.h>

/* Applies an operation of flock(2), as it is or in the terms of fcntl(2). */
static int apply(const struct kind *kind, int fd, int operation)
{
    int type = operation == LOCK_UN ? F_UNLCK : operation == LOCK_SH ? F_RDLCK : F_WRLCK;
    struct flock whole = { .l_type = (short) type, .l_whence = SEEK_SET };
    if (kind->kind == FILELOCK_KIND_OFD)
        return fcntl(fd, F_OFD_SETLK, &whole);
    return flock(fd, operation | LOCK_NB);
}

/* Makes a marker that is whole when it appears, and locks it. */
static int publish(struct raw_lock *lock)
{
    char name[2048];
    snprintf(name, sizeof name, "%.*s/raw", (int) (strrchr(lock->path, '/') - lock->path), lock->path);
    put_marker(name, marker_record(own_pid()));
    lock->fd = open(name, O_RDWR | O_CLOEXEC);
    int result = link(name, lock->path);
    unlink(name);
    return result == 0 ? apply(lock->kind, lock->fd, LOCK_EX) : -1;
}

static int take(struct raw_lock *lock, const struct kind *kind, const char *path, int operation)
{
    *lock = (struct raw_lock) { kind, path, -1, 0 };
    int result = -1;
    if (kind->kind == FILELOCK_KIND_SOFT)
        result = publish(lock);
    else if ((lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) >= 0)
        result = apply(kind, lock->fd, operation);
    lock->held = result == 0;
    if (!lock->held && lock->fd >= 0)
        close(lock->fd);
    return result;
}

int raw_lock(struct raw_lock *lock, const struct kind *kind, const char *path)
{
    return take(lock, kind, path, LOCK_EX);
}

int raw_share(struct raw_lock *lock, const struct kind *kind, const char *path)
{
    return take(lock, kind, path, LOCK_SH);
}

/* Unlocks, and does not only close, because a forked child may have a copy of the descriptor. */
void raw_unlock(struct raw_lock *lock)
{
    if (!lock->held)
        return;
    if (lock->kind->kind == FILELOCK_KIND_SOFT && raw_is_held(lock))
        unlink(lock->path);
    apply(lock->kind, lock->fd, LOCK_UN);
    close(lock->fd);
    lock->held = 0;
}

int raw_is_held(const struct raw_lock *lock)
{
    struct stat ours, there;
    return fstat(lock->fd, &ours) == 0 && lstat(lock->path, &there) == 0 && ours.st_ino == there.st_ino &&
           raw_is_locked(lock->kind, lock->path);
}

static int refuses(const struct kind *kind, const char *path, int operation)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int refused = fd >= 0 && apply(kind, fd, operation) != 0;
    if (fd >= 0)
        close(fd);
    return refused;
}

int raw_is_locked(const struct kind *kind, const char *path)
{
    return kind->kind == FILELOCK_KIND_SOFT ? path_exists(path) : refuses(kind, path, LOCK_EX);
}

int raw_is_exclusive(const struct kind *kind, const char *path)
{
    return kind->kind == FILELOCK_KIND_SOFT ? path_exists(path) : refuses(kind, path, LOCK_SH);
}
