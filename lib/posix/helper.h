/* SPDX-License-Identifier: MIT
 *
 * A call that blocks in the kernel, made with a deadline: in a helper thread.
 */
#ifndef FLK_POSIX_HELPER_H
#define FLK_POSIX_HELPER_H

#include "deadline.h"

#define FLK_NO_HELPER 1

/*
 * Makes the call in a helper thread while the caller waits for it within limits.  Returns what the
 * call did, 0 or a negative errno value.  -ETIMEDOUT, -ECANCELED, -EINTR: a limit was reached, and
 * the call was left by asynchronous cancellation; it may have done its work or not, and must hold
 * nothing that only its own return would give back.  FLK_NO_HELPER: no thread or descriptor is to
 * be had, the call was not made.
 */
int flk_helper_call(int (*call)(void *arg), void *arg, const struct limits *limits);

/*
 * Makes sure that a helper will be idle for some seconds, and then call flk_watches_rest().  false: no thread is to
 * be had.
 */
bool flk_helper_stay(void);

void flk_helpers_forked(void); /* in a child: none of them is here */

#endif
