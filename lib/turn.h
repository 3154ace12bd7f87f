/* SPDX-License-Identifier: MIT
 *
 * Turns: the threads of a process that share a handle act on its lock one after the other.
 *
 * A turn is FREE; or BUSY, somebody is acquiring or releasing; or HELD, between these.  Who has to
 * wait queues up, and a turn that ends goes to the first in the queue, not to whoever is quickest:
 * a thread that acquires again and again cannot starve the others.
 */
#ifndef FLK_TURN_H
#define FLK_TURN_H

#include "deadline.h"
#include "platform.h"

struct filelock;
struct waiter;

enum turn { TURN_FREE, TURN_BUSY, TURN_HELD };

struct turns {
    enum turn turn;
    thread_id owner; /* unless FREE */
    struct waiter *first, *last;
};

/* All of these want the handle's mutex, and return with it. */

/*
 * Waits for the turn, within limits: 0, the turn is BUSY and the caller's; or -ETIMEDOUT,
 * -ECANCELED, -EINTR, -EINVAL.  FLK_TURN_LOOK: the handle came to hold the lock, which may be the
 * caller's as well.
 */
#define FLK_TURN_LOOK 1
int flk_turn_wait(struct filelock *lock, struct limits *limits);

/* Takes the turn if nobody has it; then nobody is waiting for it either. */
bool flk_turn_try(struct filelock *lock);

/* Ends a BUSY turn. */
void flk_turn_end(struct filelock *lock, enum turn turn);

#endif
