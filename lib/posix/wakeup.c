/* SPDX-License-Identifier: MIT
 *
 * Waiting for another thread, the caller's cancel descriptor and the deadline at once.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "platform.h"
#include "posix/file.h"
#include "posix/sleep.h"
#include "posix/wakeup_fd.h"
#include "retry.h"

static struct wakeup *first; /* under the guard */

/* ---- Open and close ------------------------------------------------------------------------- */

static void add(struct wakeup *wakeup)
{
    flk_guard_lock();
    wakeup->previous = NULL;
    wakeup->next = first;
    if (first != NULL)
        first->previous = wakeup;
    first = wakeup;
    flk_guard_unlock();
}

/* The two may be one, or missing. */
static void close_both(const int fd[2])
{
    if (fd[0] >= 0)
        (void) close(fd[0]);
    if (fd[1] >= 0 && fd[1] != fd[0])
        (void) close(fd[1]);
}

static void take_out(struct wakeup *wakeup)
{
    flk_guard_lock();
    if (wakeup->previous != NULL)
        wakeup->previous->next = wakeup->next;
    else
        first = wakeup->next;
    if (wakeup->next != NULL)
        wakeup->next->previous = wakeup->previous;
    close_both(wakeup->fd);
    flk_guard_unlock();
}

void flk_wakeup_open_napping(struct wakeup *wakeup)
{
    wakeup->way = WAKEUP_NAPS;
    wakeup->fd[0] = wakeup->fd[1] = -1;
    wakeup->nap = FLK_NAP_FIRST;
    add(wakeup);
}

/* Opening these never blocks: with the guard held, no fork comes between. */
static int open_polling(struct wakeup *wakeup)
{
    int fd[2], rc;

    flk_wakeup_open_napping(wakeup);
    flk_guard_lock();
    rc = flk_wakeup_fd_open(fd);
    if (rc == 0) {
        wakeup->way = WAKEUP_POLLS;
        wakeup->fd[0] = fd[0];
        wakeup->fd[1] = fd[1];
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

/* Closed with the guard held, or a fork in between would give a child copies that nobody closes. */
void flk_wakeup_close(struct wakeup *wakeup)
{
    take_out(wakeup);
    if (wakeup->way == WAKEUP_SLEEPS)
        (void) sem_destroy(&wakeup->semaphore);
}

/* The threads that these belong to are not here. */
void flk_wakeups_forked(void)
{
    for (; first != NULL; first = first->next)
        close_both(first->fd);
}

/* ---- Signal and wait ------------------------------------------------------------------------ */

struct waker flk_wakeup_waker(struct wakeup *wakeup)
{
    struct waker waker = { .fd = { wakeup->fd[0], wakeup->fd[1] } };

    if (wakeup->way == WAKEUP_SLEEPS)
        waker.semaphore = &wakeup->semaphore;
    return waker;
}

void flk_wake(const struct waker *waker)
{
    if (waker->semaphore != NULL)
        (void) sem_post(waker->semaphore);
    else if (waker->fd[1] >= 0)
        flk_wakeup_fd_send(waker->fd);
}

bool flk_waitable_valid(filelock_waitable waitable)
{
    return waitable == FILELOCK_NO_WAITABLE || waitable >= 0;
}

/* What poll(2) found; 0: nothing. */
static int judge(const struct pollfd *fds, nfds_t count)
{
    const struct pollfd *cancel = &fds[count - 1];

    for (nfds_t i = 0; i < count - 1; i++)
        if (fds[i].revents != 0)
            return 1;
    if ((cancel->revents & POLLNVAL) != 0)
        return -EINVAL;
    return cancel->revents != 0 ? -ECANCELED : 0;
}

int64_t flk_after(int64_t ns)
{
    return ns == FLK_NEVER ? FLK_NEVER : flk_now() + ns;
}

/* What is left until one time or the other, 0 at the least. */
static int64_t left_until(int64_t until, const struct limits *limits)
{
    int64_t left = flk_limits_left(limits), nap;

    if (until == FLK_NEVER)
        return left;
    nap = until - flk_now();
    return nap < left ? (nap > 0 ? nap : 0) : left;
}

int flk_poll_within(struct pollfd *fds, nfds_t count, const struct limits *limits, int64_t until)
{
    fds[count - 1] = (struct pollfd) { .fd = limits->cancel, .events = POLLIN };
    for (;;) {
        int n = flk_poll(fds, count, left_until(until, limits)), rc;

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n < 0 && limits->interruptible)
            return -EINTR;
        if (n > 0 && (rc = judge(fds, count)) != 0)
            return rc;
        if (flk_limits_left(limits) == 0)
            return -ETIMEDOUT;
        if (until != FLK_NEVER && flk_now() >= until)
            return 0;
    }
}

int flk_wakeup_wait(struct wakeup *wakeup, const struct limits *limits)
{
    struct pollfd fds[2] = { { .fd = wakeup->fd[0], .events = POLLIN } };
    int64_t nap = FLK_NEVER;
    int rc;

    if (wakeup->way == WAKEUP_SLEEPS)
        return flk_sleep_until(&wakeup->semaphore, limits->deadline);
    if (wakeup->way == WAKEUP_NAPS)
        nap = flk_next_nap(wakeup);
    rc = flk_poll_within(fds, 2, limits, flk_after(nap));
    if (rc == 1)
        flk_wakeup_fd_drain(wakeup->fd);
    return rc > 0 ? 0 : rc;
}

void flk_wakeup_wait_only(struct wakeup *wakeup)
{
    static const struct limits none = { .deadline = FLK_NEVER, .cancel = FILELOCK_NO_WAITABLE };

    while (flk_wakeup_wait(wakeup, &none) != 0)
        ;
}
