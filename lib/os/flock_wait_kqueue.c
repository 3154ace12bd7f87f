/* SPDX-License-Identifier: MIT
 *
 * Waiting for flock(2) by events of unlocking (kqueue(2), NOTE_FUNLOCK of macOS).  There flock(2) is no cancellation
 * point: a helper thread would stay in the call until it has the lock, whatever the caller's limits are.
 */
#include "config.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/event.h>

#include "os/blocking.h"
#include "os/flock_wait.h"
#include "outcome.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/mark.h"
#include "system/own_file.h"
#include "system/remote.h"
#include "wait/events.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/poll.h"

/* Look this often although no event was told: an exclusive lock that became shared may send none. */
#define LOOK_NS 1000000000

struct unlocking {
    const struct lock_request *request;
    const struct flock_calls *calls;
    int events; /* the queue; -1: the waiter naps */
    int64_t nap;
};

static enum outcome try(const struct unlocking *wait)
{
    const struct lock_request *request = wait->request;

    if (flk_own_file(request->fd, &request->id) != 0)
        return -ESTALE;
    return wait->calls->try(request->fd, &request->range, request->mode);
}

static void close_events(struct unlocking *wait)
{
    flk_close_marked(wait->events);
    wait->events = -1;
}

/* Other hosts do not tell this kernel when they unlock a file. */
static void open_events(struct unlocking *wait)
{
    wait->events = -1;
    wait->nap = FLK_FIRST_NAP;
    if (flk_file_is_remote(wait->request->fd))
        return;
    flk_guard_lock();
    wait->events = flk_events_open();
    flk_guard_unlock();
    if (!flk_events_of_lock(wait->events, wait->request->fd))
        close_events(wait);
}

/* Returns 0 when it is time to try, or as flk_poll_within() does. */
static int wait_for_unlock(struct unlocking *wait, const struct limits *limits)
{
    struct pollfd fds[2] = { { .fd = wait->events, .events = POLLIN } };
    int rc;

    if (!flk_is_marked(wait->events))
        fds[0].fd = wait->events = -1;
    rc = flk_poll_within(fds, 2, limits, flk_after(wait->events >= 0 ? LOOK_NS : flk_next_nap(&wait->nap)));
    (void) flk_events_take(wait->events);
    return rc < 0 ? rc : 0;
}

enum outcome flk_flock_within(const struct lock_request *request, const struct flock_calls *calls,
                              const struct limits *limits)
{
    struct unlocking wait = { .request = request, .calls = calls };
    int rc, waited = 0;

    if (flk_limits_none(limits))
        return flk_block_within(request, calls->block, limits);
    open_events(&wait);
    do
        rc = try(&wait);
    while (rc == CONTENDED && (waited = wait_for_unlock(&wait, limits)) == 0);
    close_events(&wait);
    return rc == CONTENDED ? waited : rc;
}
