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

static int apply(const struct kind *kind, int fd, int unlock)
{
    struct flock whole = { .l_type = (short) (unlock ? F_UNLCK : F_WRLCK), .l_whence = SEEK_SET };
    if (kind->kind == FILELOCK_KIND_OFD)
        return fcntl(fd, F_OFD_SETLK, &whole);
    return flock(fd, unlock ? LOCK_UN : LOCK_EX | LOCK_NB);
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
    return result == 0 ? apply(lock->kind, lock->fd, 0) : -1;
}

int raw_lock(struct raw_lock *lock, const struct kind *kind, const char *path)
{
    *lock = (struct raw_lock) { kind, path, -1, 0 };
    int result = -1;
    if (kind->kind == FILELOCK_KIND_SOFT)
        result = publish(lock);
    else if ((lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) >= 0)
        result = apply(kind, lock->fd, 0);
    lock->held = result == 0;
    if (!lock->held && lock->fd >= 0)
        close(lock->fd);
    return result;
}

/* Unlocks, and does not only close, because a forked child may have a copy of the descriptor. */
void raw_unlock(struct raw_lock *lock)
{
    if (!lock->held)
        return;
    if (lock->kind->kind == FILELOCK_KIND_SOFT && raw_is_held(lock))
        unlink(lock->path);
    apply(lock->kind, lock->fd, 1);
    close(lock->fd);
    lock->held = 0;
}

int raw_is_held(const struct raw_lock *lock)
{
    struct stat ours, there;
    return fstat(lock->fd, &ours) == 0 && lstat(lock->path, &there) == 0 && ours.st_ino == there.st_ino &&
           raw_is_locked(lock->kind, lock->path);
}

int raw_is_locked(const struct kind *kind, const char *path)
{
    if (kind->kind == FILELOCK_KIND_SOFT)
        return path_exists(path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int locked = fd >= 0 && apply(kind, fd, 0) != 0;
    if (fd >= 0)
        close(fd);
    return locked;
}
