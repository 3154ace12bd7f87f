/* SPDX-License-Identifier: MIT
 *
 * Waiting for OFD locks by F_OFD_SETLKWTIMEOUT (fcntl(2) of macOS), which ends by itself: such a wait needs no helper
 * thread.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>

#include "os/blocking.h"
#include "os/ofd_wait.h"
#include "wait/limits.h"

/* True if nothing but a deadline ends the wait. */
static bool has_deadline_alone(const struct limits *limits)
{
    return limits->cancel == FILELOCK_NO_WAITABLE && !limits->interruptible && limits->deadline != FLK_NEVER;
}

/* Waits until the deadline.  Returns 0, or an errno value. */
static int wait_until_deadline(const struct lock_request *request, const struct limits *limits)
{
    struct flocktimeout wait = { .fl = flk_ofd_lock(&request->range, flk_ofd_type(request->mode)) };
    int rc;

    do {
        int64_t left = flk_limits_left(limits);

        wait.timeout = (struct timespec) { (time_t) (left / 1000000000), (long) (left % 1000000000) };
        rc = fcntl(request->fd, F_OFD_SETLKWTIMEOUT, &wait) == 0 ? 0 : errno;
    } while (rc == EINTR);
    return rc;
}

/* An older system has the other commands alone, and says that it does not know this one. */
enum outcome flk_ofd_within(const struct lock_request *request, blocking_function *block, const struct limits *limits)
{
    int rc = has_deadline_alone(limits) ? wait_until_deadline(request, limits) : EINVAL;

    return rc == EINVAL || rc == ENOTSUP ? (int) flk_block_within(request, block, limits) : -rc;
}
