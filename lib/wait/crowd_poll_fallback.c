/* SPDX-License-Identifier: MIT
 *
 * A crowd without descriptors.
 */
#include "config.h"

#include "wait/crowd_poll.h"

size_t flk_crowd_count(void)
{
    return 0;
}

size_t flk_crowd_fill(struct pollfd *fds, int64_t *until)
{
    (void) fds;
    (void) until;
    return 0;
}

void flk_crowd_read(const struct pollfd *fds, size_t count)
{
    (void) fds;
    (void) count;
}
