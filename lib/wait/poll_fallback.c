/* SPDX-License-Identifier: MIT
 *
 * Polling with a precision of milliseconds, by poll(2).
 */
#include "config.h"

#include <errno.h>
#include <limits.h>

#include "system/thread.h"
#include "wait/limits.h"
#include "wait/poll.h"

static int poll_ms(struct pollfd *fds, nfds_t count, int64_t ns)
{
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);

    return poll(fds, count, ns == FLK_NEVER ? -1 : ms < INT_MAX ? (int) ms : INT_MAX);
}

/* Goes on to pselect(2) for a mask, which poll(2) does not take, and if the process may now have fewer descriptors. */
int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns, const struct signals *signals)
{
    int n = poll_ms(fds, count, signals != NULL ? 0 : ns);

    return (n == 0 && signals != NULL) || (n < 0 && errno == EINVAL) ? flk_poll_select(fds, count, ns, signals) : n;
}
