/* SPDX-License-Identifier: MIT
 *
 * Trying again and again: for want of being told.
 */
#ifndef FLK_RETRY_H
#define FLK_RETRY_H

#include "platform.h"

#define FLK_NAP_FIRST 1000000 /* ns */

/* How long to nap now: each nap of a wake-up is longer than the one before, up to 50 ms. */
int64_t flk_next_nap(struct wakeup *wakeup);

/*
 * Makes the call until it answers something else than FLK_CONTENDED, with jittered naps between, and once more when
 * the time is up.  What the call answered; -ETIMEDOUT, -ECANCELED, -EINTR.
 */
int flk_retry(int (*call)(void *arg), void *arg, const struct limits *limits);

#endif
