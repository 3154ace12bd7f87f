/* SPDX-License-Identifier: MIT
 *
 * How long a caller is willing to wait, and what else may end the wait.
 */
#ifndef FLK_DEADLINE_H
#define FLK_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <filelock.h>

#define FLK_NEVER INT64_MAX

struct limits {
    int64_t timeout_ms; /* as filelock_acquire() has it, FILELOCK_TIMEOUT_DEFAULT resolved */
    int64_t deadline;   /* ns as flk_now() has them, FLK_NEVER; 0: the clock was not read yet */
    filelock_waitable cancel;
    bool interruptible;
};

/* Reads the clock for the deadline, the first time; a lock that is free never needs it. */
void flk_limits_start(struct limits *limits);

/* Nothing but the lock itself ends the wait. */
bool flk_limits_none(const struct limits *limits);

/* Nanoseconds left, 0 at the least; FLK_NEVER without a deadline. */
int64_t flk_limits_left(const struct limits *limits);

#endif
