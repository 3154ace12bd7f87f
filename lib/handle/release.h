/* SPDX-License-Identifier: MIT
 *
 * Giving up a lock for a holder that will never release it.
 */
#ifndef FLK_HANDLE_RELEASE_H
#define FLK_HANDLE_RELEASE_H

#include "handle/handle.h"

/* Caller has made the turn of a held lock BUSY.  Gives up the lock for good, and ends the turn. */
void flk_abandon(struct filelock *lock);

/* Takes the mutex.  Gives up a lock for good that the calling thread holds by its last level, and could not release. */
void flk_give_up(struct filelock *lock);

#endif
