/* SPDX-License-Identifier: MIT
 *
 * What soft locks and leases have in common.  A lease is a soft lock that expires: its target has a lease_ms.
 */
#ifndef FLK_SOFT_LOCK_H
#define FLK_SOFT_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "kind.h"
#include "outcome.h"
#include "soft/stale.h"
#include "system/file.h"

struct lookout;
struct queue;

/* What a handle finds suspicious.  Few handles ever do, so it is not in the state. */
struct doubts {
    struct suspicion marker;   /* about the marker */
    struct suspicion leftover; /* about a draft that a killed breaker left */
};

/*
 * The state of a soft lock, in its handle.  last_forker is the process that last forked while it held the lock: this
 * process, or the process that this one was forked from.
 */
struct soft_lock {
    int fd;                /* the marker while the lock is held, else -1 */
    int64_t last_forker;   /* 0: no other process holds the lock */
    char *resolved;        /* where the path led when the lock was acquired; NULL: the path itself */
    struct identity id;    /* of the marker */
    int64_t modified;      /* the marker's time, for when its descriptor is lost; 0: it may change */
    int64_t began;         /* ns of flk_boot_now(), before the marker was made */
    int64_t other_lease;   /* ns; the duration of a lease that refused this one; 0: none */
    bool had_marker;       /* the last look found another contender's marker */
    struct doubts *doubts; /* NULL: there was none yet */
    struct queue *queue;   /* of the thread that waits, in its lookout; NULL: none waits */
};

/* The functions of struct kind.  state begins with a struct soft_lock. */
enum outcome flk_soft_try(const struct target *target, void *state, enum filelock_mode mode, bool waits);
bool flk_soft_looks_held(const struct target *target);
enum outcome flk_soft_look(const struct target *target, void *state, enum filelock_mode mode, struct lookout *lookout);
void flk_soft_withdraw(const struct target *target, void *state);
void flk_soft_close(const struct target *target, void *state);
void flk_soft_after_fork(const struct target *target, void *state, bool holds);
bool flk_soft_has_open(const void *state);
int flk_soft_target_key(const struct target *target, struct lock_key *key);
void flk_soft_locked_key(const void *state, struct lock_key *key);
int flk_soft_descriptor(const void *state);
int flk_soft_check(const struct target *target, const void *state);
int flk_soft_owner(const struct target *target, struct filelock_owner *owner);
const char *flk_soft_unnamed(const struct target *target);
int flk_soft_break(const struct target *target);

/* Returns the path of the marker of a lock that is held.  The state owns it. */
const char *flk_soft_path(const struct target *target, const struct soft_lock *soft);

/*
 * Releases a lock that no forked process shares.  Returns
 *   0       the marker is removed
 *   LOST    the path did not name it any more; the lock is not held
 *   -errno  the lock is held as before
 */
enum outcome flk_soft_remove(const struct target *target, struct soft_lock *soft);

/* Ends a lock that was lost.  Closes its marker, and touches nothing at the path. */
void flk_soft_abandon(struct soft_lock *soft);

/* Releases a lock that is not kept.  Returns 0 or -errno; the lock is not held in any case. */
int flk_soft_give_up(const struct target *target, struct soft_lock *soft);

#endif
