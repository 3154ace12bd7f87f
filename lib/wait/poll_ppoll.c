/* SPDX-License-Identifier: MIT
 *
 * Polling with a precision of nanoseconds, by ppoll(2).
 */
#include "config.h"

#include <errno.h>

#include "system/thread.h"
#include "wait/limits.h"
#include "wait/poll.h"

/* Uses pselect(2) after EINVAL: ppoll(2) refuses more descriptors than the process may have now, open or not. */
int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns, const struct signals *signals)
{
    struct timespec time = { .tv_sec = (time_t) (ns / 1000000000), .tv_nsec = (long) (ns % 1000000000) };
    int n = ppoll(fds, count, ns == FLK_NEVER ? NULL : &time, signals != NULL ? &signals->mask : NULL);

    return n < 0 && errno == EINVAL ? flk_poll_select(fds, count, ns, signals) : n;
}
