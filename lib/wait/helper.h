/* SPDX-License-Identifier: MIT
 *
 * Helper threads: they make calls that block in the kernel for callers that have a deadline.
 */
#ifndef FLK_POSIX_HELPER_H
#define FLK_POSIX_HELPER_H

#include "outcome.h"
#include "system/lifetime.h"
#include "wait/limits.h"

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
