/* SPDX-License-Identifier: MIT
 *
 * Which processes have a file of ours open, as far as the system tells.
 */
#ifndef FLK_POSIX_OPENERS_H
#define FLK_POSIX_OPENERS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform.h"
#include "posix/proc_text.h"

/* A lock on an open file, which is held by every process that has that open file. */
struct shared_lock {
    struct identity id;    /* of the file */
    char link[PATH_MAX];   /* what the system shows for each copy of the open file; "": nothing */
    bool listed;           /* the system tells which open files have the lock */
    struct proc_lock lock; /* if it does: what it says of each of them */
};

enum holds { HOLDS_NOT, HOLDS, HOLDS_UNSEEN };

/* What is locked by way of a descriptor of ours: 0, or -EMFILE, -ENFILE, -ENOMEM. */
int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock);

/*
 * Whether another process holds the lock: enum holds, or -EMFILE, -ENFILE, -ENOMEM.  Where locks are not listed, who
 * has the file open for reading and writing is taken for a holder.
 */
int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid);

/* Some process other than this one that is seen to hold the lock: 1; 0: none; or as flk_shared_lock_held_by(). */
int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid);

#endif
