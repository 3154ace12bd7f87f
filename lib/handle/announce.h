/* SPDX-License-Identifier: MIT
 *
 * Telling the program of a wait, by options.on_wait.
 */
#ifndef FLK_ANNOUNCE_H
#define FLK_ANNOUNCE_H

#include "handle/handle.h"

/*
 * Caller holds the handle's mutex, which is let go meanwhile.  Calls on_wait, if the handle has that.  False: on_wait has
 * forked, and this is the child, in which the handle is free.
 */
bool flk_announce_wait(struct filelock *lock);

/* Caller holds the handle's mutex.  True if the calling thread is in on_wait of this handle. */
bool flk_is_announcing(const struct filelock *lock);

#endif
