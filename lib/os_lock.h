/* SPDX-License-Identifier: MIT
 *
 * The kinds that lock a file by the operating system: all they share.  A backend says the rest.
 */
#ifndef FLK_OS_LOCK_H
#define FLK_OS_LOCK_H

#include "kind.h"

/* Kept in the handle.  The file stays open between acquires: the next needs no open. */
struct os_lock {
    int fd;         /* what is locked; -1: nothing is open */
    bool writable;  /* fd can be written */
    bool ours;      /* fd was opened here, and is closed here */
    bool recorded;  /* the file has the record of who holds the lock */
    int64_t sharer; /* the process that last forked while it held the lock: close, never unlock; 0: none */
    struct identity id;
};

void flk_os_lock_init(const struct target *target, void *state);
int flk_os_lock_try(const struct target *target, void *state, enum filelock_mode mode, bool waits);
int flk_os_lock_wait(const struct target *target, void *state, enum filelock_mode mode,
                     const struct limits *limits);
int flk_os_lock_release(const struct target *target, void *state, enum filelock_mode mode);
void flk_os_lock_close(const struct target *target, void *state);
void flk_os_lock_forked(const struct target *target, void *state, bool holds);
void flk_os_lock_sharing(const struct target *target, void *state);
int flk_os_lock_identify(const struct target *target, struct identity *id);
void flk_os_lock_locked(const void *state, struct identity *id);
int flk_os_lock_descriptor(const void *state);
int flk_os_lock_owner(const struct target *target, struct filelock_owner *owner);

/* Closes what is open here; a lock on it ends. */
void flk_os_lock_forget(struct os_lock *os);

/* 1: the path names what is open here, 0: another file or none; -errno. */
int flk_os_lock_names_ours(const struct target *target, const struct os_lock *os);

/* ---- By the platform ------------------------------------------------------------------------- */

/* Unlocks, and removes the file if that does nobody else harm.  As release. */
int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os);

/* Releases a lock that a forked relative may hold as well, and cleans up if none does any more. */
int flk_os_lock_release_shared(const struct target *target, struct os_lock *os);

/* The part of a row in the table of kinds that all of them have in common. */
#define OS_LOCK_OPERATIONS                                                                         \
    .state_size = sizeof(struct os_lock), .init = flk_os_lock_init, .try = flk_os_lock_try,        \
    .wait = flk_os_lock_wait, .release = flk_os_lock_release, .close = flk_os_lock_close,          \
    .forked = flk_os_lock_forked, .sharing = flk_os_lock_sharing, .identify = flk_os_lock_identify, \
    .locked = flk_os_lock_locked, .descriptor = flk_os_lock_descriptor, .owner = flk_os_lock_owner

#endif
