/* SPDX-License-Identifier: MIT
 *
 * Turns: the threads of a process that share a handle act on its lock one after the other.
 *
 * The states of a turn:
 *   FREE  no thread has it
 *   BUSY  a thread is acquiring or releasing the lock
 *   HELD  the lock is held, between acquire and release
 * A thread that has to wait goes to the end of a queue.  A turn that ends goes to the first in the queue, not to the
 * quickest thread, so a thread that acquires again and again cannot starve the others.
 */
#ifndef FLK_GATE_H
#define FLK_GATE_H

#include "handle/gate_state.h"
#include "outcome.h"
#include "wait/limits.h"

struct filelock;

/* A place in the queue. */
struct waiter {
    struct waiter *next;
    thread_id thread;
    bool granted;                        /* the turn is BUSY for this waiter, which is no longer in the queue */
    void (*tell)(struct waiter *waiter); /* tells the waiter to look; the caller holds the handle's mutex */
};

/* The caller of each of these holds the handle's mutex, and holds it afterwards. */

/*
 * Waits for the turn within limits.
 *   0                               the turn is BUSY, and the caller's
 *   AGAIN                           the lock is held now, and may be the caller's as well
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EINVAL                         the cancel waitable is not open
 */
enum outcome flk_gate_wait(struct filelock *lock, struct limits *limits);

/* Puts a waiter in the queue that does not block.  Caller has found that the turn is not FREE. */
void flk_gate_enqueue(struct filelock *lock, struct waiter *waiter);

/* Takes a waiter off the queue that was not granted the turn. */
void flk_gate_dequeue(struct filelock *lock, const struct waiter *waiter);

/* True if the lock is held and belongs to no thread, so that a waiter may go one level deeper. */
bool flk_gate_may_join(const struct filelock *lock);

/* Makes the calling thread the owner of a BUSY turn. */
void flk_gate_adopt(struct filelock *lock);

/* Takes the turn if it is FREE; then no thread waits for it either.  True if it is taken. */
bool flk_gate_try(struct filelock *lock);

/* Ends a BUSY turn.  state: FREE or HELD. */
void flk_gate_end(struct filelock *lock, enum gate_state state);

/* True if the lock belongs to the handle, not to a thread (FILELOCK_ANY_THREAD). */
bool flk_any_thread(const struct filelock *lock);

/* True if callers hold the lock: the calling thread, or any if it belongs to no thread. */
bool flk_is_mine(const struct filelock *lock);

/* True if the lock is held, by any thread. */
bool flk_gate_is_held(const struct filelock *lock);

/* Makes a HELD turn BUSY, for a caller that may release the lock. */
void flk_gate_reenter(struct filelock *lock);

/* Only in a child: makes the turn HELD by the forking thread (holds), or FREE.  No thread waits for it any more. */
void flk_gate_forked(struct filelock *lock, bool holds);

#endif
