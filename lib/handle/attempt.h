/* SPDX-License-Identifier: MIT
 *
 * Attempts: acquires that are under way while no thread waits for them.
 *
 * An attempt first waits for the turn, unless begin() has taken it, and then for the lock.  It keeps the turn BUSY
 * until finish or abort.  So no other thread uses the kind's state meanwhile but the attendant, or the thread that
 * aborts.
 */
#ifndef FLK_ATTEMPT_H
#define FLK_ATTEMPT_H

#include "handle/handle.h"
#include "system/lifetime.h"
#include "wait/limits.h"

/*
 * Caller holds the handle's mutex, and has the turn if has_turn is true.  Has an attempt made for the handle, which has
 * none.  Returns -EINPROGRESS or an error; then the turn is as before.
 */
int flk_attempt_start(struct filelock *lock, enum filelock_mode mode, const struct limits *limits, bool has_turn);

/* Caller holds the handle's mutex.  True if an attempt is under way. */
bool flk_attempt_is_under_way(const struct filelock *lock);

/* Caller holds the handle's mutex.  True if the calling thread has begun the attempt that is under way. */
bool flk_attempt_is_own(const struct filelock *lock);

/* Caller holds the handle's mutex.  Returns the waitable, or FILELOCK_NO_WAITABLE: no attempt is under way. */
filelock_waitable flk_attempt_waitable(const struct filelock *lock);

/* Takes the mutex.  Does as filelock_acquire_finish() and filelock_acquire_abort() do. */
int flk_attempt_finish(struct filelock *lock);
int flk_attempt_abort(struct filelock *lock);

/* Called for each handle in a child.  Makes the attempt one of the parent's, which the child does not have. */
void flk_attempt_forget(struct filelock *lock);

/* Caller has the only use of the handle.  Frees what a child was left of an attempt of its parent. */
void flk_attempt_free_forgotten(struct filelock *lock);

/* At the end of the process, aborts all attempts. */
extern const struct subscriber flk_attempts_subscriber;

#endif
