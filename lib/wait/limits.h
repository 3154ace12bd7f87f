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

/* Reads the clock and sets the deadline.  Later calls do nothing.  An acquire of a free lock does not need this. */
void flk_limits_start(struct limits *limits);

/* The next three functions are for limits that were started.  Before that, the deadline counts as passed. */

/* True if nothing but the lock itself ends the wait. */
bool flk_limits_none(const struct limits *limits);

/* Returns the nanoseconds that are left, 0 or more; FLK_NEVER without a deadline. */
int64_t flk_limits_left(const struct limits *limits);

/* Returns limits that end after this many ns at the latest.  FLK_NEVER: the same limits. */
struct limits flk_limits_within(const struct limits *limits, int64_t ns);

/*
 * True if rc tells that a limit has ended a wait: -ETIMEDOUT, -ECANCELED or -EINTR; or -EINVAL, because the cancel
 * waitable is not open.
 */
bool flk_is_limit(int rc);

/* Returns the time on the clock of flk_now() after this many ns, 0 or more.  FLK_NEVER gives FLK_NEVER. */
int64_t flk_after(int64_t ns);

#endif
