/* SPDX-License-Identifier: MIT
 *
 * What a POSIX system does not tell.
 */
#include "config.h"

#include "platform.h"
#include "posix/openers.h"

/* Then nothing is taken for certain. */
bool flk_file_is_remote(int fd)
{
    (void) fd;
    return true;
}

bool flk_file_path_is_remote(const char *path)
{
    (void) path;
    return true;
}

int flk_file_is_written(const struct identity *id)
{
    (void) id;
    return 0;
}

int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock)
{
    (void) fd;
    *lock = (struct shared_lock) { .id = *id };
    return 0;
}

int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid)
{
    (void) lock;
    (void) pid;
    return HOLDS_UNSEEN;
}

int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid)
{
    (void) lock;
    (void) pid;
    return 0;
}
