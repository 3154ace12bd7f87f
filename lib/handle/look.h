/* SPDX-License-Identifier: MIT
 *
 * Looking whether the lock of a handle can be taken.
 */
#ifndef FLK_LOOK_H
#define FLK_LOOK_H

#include <filelock.h>

#include "outcome.h"
#include "wait/limits.h"
#include "wait/lookout.h"

struct filelock;

/* Caller has the turn.  Looks as look() of struct kind does, for every kind. */
enum outcome flk_look(struct filelock *lock, enum filelock_mode mode, struct lookout *lookout);

/* Caller has the turn, and has just tried in vain.  Looks within limits, and returns as filelock_acquire() does. */
int flk_look_within(struct filelock *lock, enum filelock_mode mode, const struct limits *limits);

#endif
