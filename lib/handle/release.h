/* SPDX-License-Identifier: MIT
 *
 * Giving up a lock for a holder that will never release it.
 */
#ifndef FLK_HANDLE_RELEASE_H
#define FLK_HANDLE_RELEASE_H

#include "handle/handle.h"

/* Caller has made the turn BUSY, and the lock of the kind is held.  Gives that up for good, and ends the turn. */
void flk_abandon(struct filelock *lock);

/* Does the same to a lock that a thread has held: tracers are told. */
void flk_end_hold(struct filelock *lock);

/* Takes the mutex.  Gives up a lock for good that the calling thread holds by its last level, and could not release. */
void flk_give_up(struct filelock *lock);

#endif
