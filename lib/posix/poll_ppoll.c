/* SPDX-License-Identifier: MIT
 *
 * Polling to the nanosecond, by ppoll(2).
 */
#include "config.h"

#include "deadline.h"
#include "posix/wakeup_fd.h"

int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns)
{
    struct timespec time = { .tv_sec = (time_t) (ns / 1000000000), .tv_nsec = (long) (ns % 1000000000) };

    return ppoll(fds, count, ns == FLK_NEVER ? NULL : &time, NULL);
}
