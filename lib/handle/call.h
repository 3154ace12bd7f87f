/* SPDX-License-Identifier: MIT
 *
 * Common parts of the calls on a handle.
 */
#ifndef FLK_CALL_H
#define FLK_CALL_H

#include "handle/handle.h"
#include "wait/limits.h"

/* Takes the mutex.  Notes the kind of request, for filelock_describe(). */
void flk_asked(struct filelock *lock, enum asked what);

/* Takes the mutex.  Notes an acquire, so that filelock_describe() speaks of it, also if the call gets no further. */
void flk_asked_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/* True if a caller may give this mode and this timeout. */
bool flk_valid_request(enum filelock_mode mode, int64_t timeout_ms);

/* Caller holds the handle's mutex.  Returns 0 if the held lock can be held one level deeper in this mode, or -errno. */
int flk_check_nest(const struct filelock *lock, enum filelock_mode mode);

/* Caller holds the handle's mutex, and the lock.  Goes one level deeper.  Returns 0 or -errno. */
int flk_nest(struct filelock *lock, enum filelock_mode mode);

/*
 * Caller holds the handle's mutex, and has the turn.  Ends the turn of an acquire that came to rc.  0: the lock of the
 * kind was taken, and the handle is held at depth 1.
 */
void flk_end_acquire(struct filelock *lock, int rc, enum filelock_mode mode);

/* Returns 0, or -EINVAL for arguments with which this handle cannot be acquired. */
int flk_check_request(const struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/* Returns the limits of a wait: the handle's, with this timeout. */
struct limits flk_handle_limits(const struct filelock *lock, int64_t timeout_ms);

/*
 * Makes a call that may wait within limits.  No thread is cancelled in it.  With FILELOCK_INTERRUPTIBLE, a signal that
 * comes after the beginning of the call and before its wait also ends the wait.
 */
int flk_handle_call(struct filelock *lock, int (*call)(struct filelock *lock, void *arg), void *arg,
                    struct limits *limits);

#endif
