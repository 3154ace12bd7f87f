/* SPDX-License-Identifier: MIT
 *
 * Finding the processes that have a file open, where the system does not tell: no process is seen.
 */
#include "config.h"

#include "owner/openers.h"
#include "owner/writers.h"
#include "system/file.h"

int flk_file_writers(int fd, const struct identity *id)
{
    (void) fd;
    (void) id;
    return WRITERS_UNSEEN;
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
