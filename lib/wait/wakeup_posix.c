/* SPDX-License-Identifier: MIT
 *
 * Waiting at once for another thread, the caller's cancel descriptor and the deadline.
 */
#include "config.h"

#include <errno.h>

#include "system/guard.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/poll.h"
#include "wait/sleep.h"
#include "wait/wakeup.h"
#include "wait/wakeup_fd.h"

static struct list all_open; /* under the guard */

/* ---- Open and close ------------------------------------------------------------------------- */

void flk_wakeup_open_napping(struct wakeup *wakeup)
{
    wakeup->way = WAKEUP_NAPS;
    wakeup->ends = (struct wakeup_fd) { .fd = { -1, -1 } };
    wakeup->nap = FLK_FIRST_NAP;
    flk_guard_lock();
    flk_list_add(&all_open, &wakeup->link);
    flk_guard_unlock();
}

/* Opens with the guard held, so that no fork comes between.  Opening these descriptors never blocks. */
static int open_polling(struct wakeup *wakeup)
{
    struct wakeup_fd ends;
    int rc;

    flk_wakeup_open_napping(wakeup);
    flk_guard_lock();
    rc = flk_wakeup_fd_open(&ends);
    if (rc == 0) {
        wakeup->way = WAKEUP_POLLS;
        wakeup->ends = ends;
    }
    flk_guard_unlock();
    return rc;
}

int flk_wakeup_open(struct wakeup *wakeup, const struct limits *limits)
{
    bool alone = limits->cancel == FILELOCK_NO_WAITABLE && !limits->interruptible;

    if (!alone || !flk_sleep_open(&wakeup->semaphore))
        return open_polling(wakeup);
    flk_wakeup_open_napping(wakeup);
    wakeup->way = WAKEUP_SLEEPS;
    return 0;
}

int flk_wakeup_open_lasting(struct wakeup *wakeup)
{
    return open_polling(wakeup);
}

filelock_waitable flk_wakeup_waitable(const struct wakeup *wakeup)
{
    bool ours = wakeup->way == WAKEUP_POLLS && flk_wakeup_fd_is_ours(&wakeup->ends);

    return ours ? wakeup->ends.fd[0] : FILELOCK_NO_WAITABLE;
}

void flk_wakeup_drain(struct wakeup *wakeup)
{
    if (wakeup->way == WAKEUP_POLLS)
        flk_wakeup_fd_drain(&wakeup->ends);
}

/* Closes with the guard held: a fork in between would give the child a copy that nothing closes. */
void flk_wakeup_close(struct wakeup *wakeup)
{
    flk_guard_lock();
    flk_list_remove(&all_open, &wakeup->link);
    if (wakeup->way == WAKEUP_POLLS)
        flk_wakeup_fd_close(&wakeup->ends);
    flk_guard_unlock();
    if (wakeup->way == WAKEUP_SLEEPS)
        flk_sleep_close(&wakeup->semaphore);
}

/* Closes the descriptors in the child, which does not have the threads that wait by them. */
static void child_forked(bool prepared)
{
    (void) prepared;
    for (struct link *link = all_open.first; link != NULL; link = link->next) {
        struct wakeup *wakeup = LINK_OWNER(link, struct wakeup, link);

        if (wakeup->way == WAKEUP_POLLS)
            flk_wakeup_fd_close(&wakeup->ends);
    }
    all_open.first = NULL;
}

const struct subscriber flk_wakeups_subscriber = { .child_forked = child_forked };

/* ---- Signal and wait ------------------------------------------------------------------------ */

struct waker flk_wakeup_waker(struct wakeup *wakeup)
{
    struct waker waker = { .ends = wakeup->ends };

    if (wakeup->way == WAKEUP_SLEEPS)
        waker.semaphore = &wakeup->semaphore;
    return waker;
}

void flk_wake(const struct waker *waker)
{
    if (waker->semaphore != NULL)
        (void) sem_post(waker->semaphore);
    else if (waker->ends.fd[1] >= 0)
        flk_wakeup_fd_send(&waker->ends);
}

bool flk_waitable_valid(filelock_waitable waitable)
{
    return waitable == FILELOCK_NO_WAITABLE || waitable >= 0;
}

/*
 * Poll interval while a wait is on: a thread that finds the descriptor gone sends no signal.  So the waiter looks by
 * itself whether it should have been woken, and whether the descriptor is still the library's.
 */
#define LOOK_NS 1000000000

/*
 * Polls if the descriptor is still the library's.
 *   1         signalled, or it is time that the caller looks by itself
 *   0         the descriptor is not the library's
 *   an error  as flk_poll_within() returns it
 */
static int poll_ours(const struct wakeup *wakeup, const struct limits *limits)
{
    struct pollfd fds[2] = { { .fd = wakeup->ends.fd[0], .events = POLLIN } };
    int rc;

    if (!flk_wakeup_fd_is_ours(&wakeup->ends))
        return 0;
    rc = flk_poll_within(fds, 2, limits, flk_after(LOOK_NS));
    if (rc == 1)
        flk_wakeup_fd_drain(&wakeup->ends);
    return rc < 0 ? rc : 1;
}

int flk_nap_within(const struct limits *limits, int64_t ns)
{
    struct pollfd cancel;

    return flk_poll_within(&cancel, 1, limits, flk_after(ns));
}

int flk_wakeup_wait(struct wakeup *wakeup, const struct limits *limits)
{
    int rc = 0;

    if (wakeup->way == WAKEUP_SLEEPS)
        return flk_sleep_until(&wakeup->semaphore, limits->deadline);
    if (wakeup->way == WAKEUP_POLLS)
        rc = poll_ours(wakeup, limits);
    if (rc == 0)
        return flk_nap_within(limits, flk_next_nap(&wakeup->nap));
    return rc > 0 ? 0 : rc;
}

void flk_wakeup_wait_only(struct wakeup *wakeup)
{
    static const struct limits none = { .deadline = FLK_NEVER, .cancel = FILELOCK_NO_WAITABLE };

    while (flk_wakeup_wait(wakeup, &none) != 0)
        ;
}
