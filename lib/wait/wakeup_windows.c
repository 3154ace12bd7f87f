/* SPDX-License-Identifier: MIT
 *
 * Waiting at once for another thread, the caller's cancel object and the deadline.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "system/clock.h"
#include "system/error_windows.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/objects.h"
#include "wait/wakeup.h"

#define NS_PER_MS 1000000

int flk_wakeup_open(struct wakeup *wakeup, const struct limits *limits)
{
    (void) limits;
    flk_wakeup_open_napping(wakeup);
    wakeup->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    return wakeup->event != NULL ? 0 : flk_last_error();
}

void flk_wakeup_open_napping(struct wakeup *wakeup)
{
    *wakeup = (struct wakeup) { .nap = FLK_FIRST_NAP };
}

int flk_wakeup_open_lasting(struct wakeup *wakeup)
{
    flk_wakeup_open_napping(wakeup);
    wakeup->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    return wakeup->event != NULL ? 0 : flk_last_error();
}

filelock_waitable flk_wakeup_waitable(const struct wakeup *wakeup)
{
    return wakeup->event;
}

void flk_wakeup_drain(struct wakeup *wakeup)
{
    if (wakeup->event != NULL)
        (void) ResetEvent(wakeup->event);
}

void flk_wakeup_close(struct wakeup *wakeup)
{
    if (wakeup->event != NULL)
        (void) CloseHandle(wakeup->event);
}

struct waker flk_wakeup_waker(struct wakeup *wakeup)
{
    return (struct waker) { wakeup->event };
}

void flk_wake(const struct waker *waker)
{
    if (waker->event != NULL)
        (void) SetEvent(waker->event);
}

bool flk_waitable_valid(filelock_waitable waitable)
{
    return waitable != INVALID_HANDLE_VALUE;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

static DWORD ms_until(int64_t until, const struct limits *limits)
{
    int64_t left = flk_limits_left(limits), nap = until != FLK_NEVER ? until - flk_now() : FLK_NEVER;

    if (nap < left)
        left = nap > 0 ? nap : 0;
    if (left == FLK_NEVER)
        return INFINITE;
    left = left / NS_PER_MS + (left % NS_PER_MS != 0);
    return left < INFINITE ? (DWORD) left : INFINITE - 1;
}

/* Lets an APC (QueueUserAPC), which comes nearest to a signal, end an interruptible wait. */
static DWORD wait_for(const HANDLE *objects, DWORD count, DWORD ms, bool interruptible)
{
    if (count > 0)
        return WaitForMultipleObjectsEx(count, objects, FALSE, ms, interruptible);
    return SleepEx(ms, interruptible) == WAIT_IO_COMPLETION ? WAIT_IO_COMPLETION : WAIT_TIMEOUT;
}

int flk_wait_within(const HANDLE *objects, DWORD count, const struct limits *limits, int64_t until)
{
    bool cancellable = limits->cancel != FILELOCK_NO_WAITABLE;
    HANDLE all[FLK_MAX_OBJECTS + 1];

    if (count > 0)
        memcpy(all, objects, count * sizeof(*all));
    all[count] = limits->cancel;
    for (;;) {
        DWORD which = wait_for(all, count + cancellable, ms_until(until, limits), limits->interruptible);

        if (which == WAIT_IO_COMPLETION)
            return -EINTR;
        if (which == WAIT_FAILED)
            return -EINVAL;
        if (which >= WAIT_ABANDONED_0 && which <= WAIT_ABANDONED_0 + count) /* a mutex, which this thread has now */
            which -= WAIT_ABANDONED_0;
        if (which <= count)
            return which == count ? -ECANCELED : (int) which + 1;
        if (flk_limits_left(limits) == 0)
            return -ETIMEDOUT;
        if (until != FLK_NEVER && flk_now() >= until)
            return 0;
    }
}

int flk_nap_within(const struct limits *limits, int64_t ns)
{
    return flk_wait_within(NULL, 0, limits, flk_after(ns));
}

int flk_wakeup_wait(struct wakeup *wakeup, const struct limits *limits)
{
    int64_t nap = wakeup->event == NULL ? flk_next_nap(&wakeup->nap) : FLK_NEVER;
    int rc = flk_wait_within(&wakeup->event, wakeup->event != NULL, limits, flk_after(nap));

    return rc > 0 ? 0 : rc;
}
