/* SPDX-License-Identifier: MIT
 *
 * Finding the processes that have the file of a lock open, as far as the system tells.
 */
#ifndef FLK_OPENERS_H
#define FLK_OPENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "owner/proc_text.h"
#include "system/file.h"

/* A lock on an open file.  It is held by every process that has a copy of the descriptor. */
struct shared_lock {
    struct identity id;    /* of the file */
    bool shown;            /* the system shows a link to the file for each descriptor */
    uint8_t link[32];      /* if shown: SHA-256 of the link, which may be too long to keep on a thread's stack */
    bool listed;           /* the system tells which open files have the lock */
    struct proc_lock lock; /* if listed: the lock as the system shows it for each of those open files */
};

/* Whether a process holds a lock.  UNSEEN: the open files of the process cannot be looked at. */
enum holds { HOLDS_NOT, HOLDS, HOLDS_UNSEEN };

/* Describes the lock that this process has by an open file.  Returns 0, or -EMFILE, -ENFILE or -ENOMEM. */
int flk_shared_lock_of(int fd, const struct identity *id, struct shared_lock *lock);

/*
 * Tells whether another process holds the lock.  Where the system does not list locks, a process that has the file open
 * for reading and writing counts as a holder.  Returns enum holds, or -EMFILE, -ENFILE or -ENOMEM.
 */
int flk_shared_lock_held_by(const struct shared_lock *lock, int64_t pid);

/*
 * Finds a process other than the calling one that is seen to hold the lock, and stores its pid.  Returns
 *   1  a holder was found
 *   0  no process is seen to hold the lock
 *   -EMFILE, -ENFILE or -ENOMEM
 */
int flk_shared_lock_find(const struct shared_lock *lock, int64_t *pid);

#endif
