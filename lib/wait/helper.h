/* SPDX-License-Identifier: MIT
 *
 * Helper threads: they make calls that block in the kernel for callers that have a deadline, or that do not block.
 */
#ifndef FLK_HELPER_H
#define FLK_HELPER_H

#include <stdbool.h>

#include "outcome.h"
#include "system/lifetime.h"
#include "wait/limits.h"
#include "wait_types.h"

/*
 * Has the call made by a helper thread, and returns at once.  The wake-up is signalled when the call is done.  The call
 * has to keep to the rules of flk_helper_call().  Caller keeps the job where it is until flk_job_is_done() is true or
 * flk_job_stop() has returned.  False if no thread is to be had.
 */
bool flk_job_start(struct job *job, int (*call)(void *arg), void *arg, struct wakeup *wakeup);

/* True if the call is done.  *result: what it returned. */
bool flk_job_is_done(struct job *job, int *result);

/* Ends the call.  Returns what the call returned, or -ECANCELED: it was ended, and may have done its work or not. */
int flk_job_stop(struct job *job);

/* Returns what a call has to wait for beside its work, so that flk_job_stop() can end it; not needed everywhere. */
filelock_waitable flk_job_stopper(const struct job *job);

/* ---- On POSIX systems ----------------------------------------------------------------------- */

/*
 * Makes the call in a helper thread while the caller waits for it within limits.  The call returns 0 or a negative
 * errno value.  It may be cancelled asynchronously, so it must not hold anything that only its own return would give
 * back.
 *   what the call returned          it returned in time
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached, and the call was cancelled; it may have done its work or not
 *   NO_MEANS                        no thread or descriptor is to be had, and the call was not made
 */
enum outcome flk_helper_call(int (*call)(void *arg), void *arg, const struct limits *limits);

/*
 * Makes sure that a helper will be idle for some seconds, and that the helper calls `then` after that.  A process has a
 * single `then`.  False if no thread is to be had.
 */
bool flk_helper_keep_idle(void (*then)(void));

/* Forgets the helpers in a child.  At the end of the process, returns when no idle helper runs any more. */
extern const struct subscriber flk_helpers_subscriber;

#endif
