/* SPDX-License-Identifier: MIT
 *
 * Polling within limits.
 */
#include "config.h"

#include <errno.h>

#include "system/clock.h"
#include "wait/limits.h"
#include "wait/poll.h"

/* Returns what flk_poll_within() does for the descriptors that poll(2) found; 0: none. */
static int find_result(const struct pollfd *fds, nfds_t count)
{
    const struct pollfd *cancel = &fds[count - 1];

    for (nfds_t i = 0; i < count - 1; i++)
        if (fds[i].revents != 0)
            return 1;
    if ((cancel->revents & POLLNVAL) != 0)
        return -EINVAL;
    return cancel->revents != 0 ? -ECANCELED : 0;
}

/* Returns the ns that are left until the earlier of both times, 0 or more. */
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
        int n = flk_poll(fds, count, left_until(until, limits), limits->signals), rc;

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n < 0 && limits->interruptible)
            return -EINTR;
        if (n > 0 && (rc = find_result(fds, count)) != 0)
            return rc;
        if (flk_limits_left(limits) == 0)
            return -ETIMEDOUT;
        if (until != FLK_NEVER && flk_now() >= until)
            return 0;
    }
}
