/* SPDX-License-Identifier: MIT
 *
 * How long a caller is willing to wait, and what else may end the wait.
 */
#ifndef FLK_LIMITS_H
#define FLK_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include <filelock.h>

#define FLK_NEVER INT64_MAX

struct signals;

struct limits {
    int64_t timeout_ms; /* as filelock_acquire() takes it, with FILELOCK_TIMEOUT_DEFAULT replaced by its value */
    int64_t deadline;   /* ns on the clock of flk_now(), or FLK_NEVER; 0: the clock was not read yet */
    filelock_waitable cancel;
    bool interruptible;
    const struct signals *signals; /* as flk_signals_hold() set it; NULL: no signal is held back */
};

/* Reads the clock and sets the deadline, in the first call.  A lock that is free never needs this. */
void flk_limits_start(struct limits *limits);

/* True if nothing but the lock itself ends the wait. */
bool flk_limits_none(const struct limits *limits);

/* Returns the nanoseconds that are left, 0 or more; FLK_NEVER without a deadline. */
int64_t flk_limits_left(const struct limits *limits);

/* Returns limits that end after this many ns at the latest.  FLK_NEVER: the same limits. */
struct limits flk_limits_within(const struct limits *limits, int64_t ns);

/*
 * True if what a wait came to is that a limit was reached: -ETIMEDOUT, -ECANCELED, -EINTR; or -EINVAL, the cancel
 * waitable is not open.
 */
bool flk_is_limit(int rc);

/* Returns the time on the clock of flk_now() after this many ns, 0 or more.  FLK_NEVER gives FLK_NEVER. */
int64_t flk_after(int64_t ns);

#endif
