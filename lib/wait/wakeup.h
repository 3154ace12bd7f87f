/* SPDX-License-Identifier: MIT
 *
 * Wake-ups: a thread waits within limits until another thread signals.
 */
#ifndef FLK_WAKEUP_H
#define FLK_WAKEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "wait/limits.h"
#include "wait_types.h"

/*
 * A struct wakeup is for a single waiter.  If no descriptor is free for it, it naps instead.  Its wait then returns 0
 * after a jittered time of 1 to 50 ms, and the waiter looks by itself whether it was signalled.
 */

/* Opens a wake-up of the kind that the limits need.  Returns 0, or -errno: then it can be used as well, but naps. */
int flk_wakeup_open(struct wakeup *wakeup, const struct limits *limits);
void flk_wakeup_open_napping(struct wakeup *wakeup);
void flk_wakeup_close(struct wakeup *wakeup);

/*
 * Opens a wake-up for a program or a thread that polls it among other waitables: it stays signalled.  Returns 0, or
 * -errno: then it naps, and has no waitable.
 */
int flk_wakeup_open_lasting(struct wakeup *wakeup);

/* Returns the waitable of a lasting wake-up. */
filelock_waitable flk_wakeup_waitable(const struct wakeup *wakeup);

/* Ends the signal of a lasting wake-up. */
void flk_wakeup_drain(struct wakeup *wakeup);

/*
 * Returns what a thread needs to signal.  The caller holds the mutex that keeps the wake-up open, and need not hold it
 * for flk_wake(): a waiter that is woken may close the wake-up at once.
 */
struct waker flk_wakeup_waker(struct wakeup *wakeup);
void flk_wake(const struct waker *waker);

/* True if the value may be a waitable.  Whether it is open is not checked before a wait. */
bool flk_waitable_valid(filelock_waitable waitable);

/*
 * Waits for the signal within limits.
 *   0                               signalled, or it is time that the caller looks by itself
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EINVAL                         the cancel waitable is not open
 */
int flk_wakeup_wait(struct wakeup *wakeup, const struct limits *limits);

/* Sleeps for this many ns, within limits.  Returns as flk_wakeup_wait() does. */
int flk_nap_within(const struct limits *limits, int64_t ns);

/* Waits until the signal, which alone ends this wait.  Not for a wake-up that naps. */
void flk_wakeup_wait_only(struct wakeup *wakeup);

/* Closes the copies that a child has. */
extern const struct subscriber flk_wakeups_subscriber;

#endif
