/* SPDX-License-Identifier: MIT
 *
 * Polling to the millisecond, by poll(2).
 */
#include "config.h"

#include <limits.h>

#include "deadline.h"
#include "posix/wakeup_fd.h"

int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns)
{
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);

    return poll(fds, count, ns == FLK_NEVER ? -1 : ms < INT_MAX ? (int) ms : INT_MAX);
}
