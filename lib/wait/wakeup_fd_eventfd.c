/* SPDX-License-Identifier: MIT
 *
 * Waking by eventfd(2): a single descriptor is both ends.
 */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "system/mark.h"
#include "wait/wakeup_fd.h"

int flk_wakeup_fd_open(struct wakeup_fd *ends)
{
    ends->fd[0] = ends->fd[1] = flk_mark(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return ends->fd[0] < 0 ? -errno : 0;
}

bool flk_wakeup_fd_is_ours(const struct wakeup_fd *ends)
{
    return flk_is_marked(ends->fd[0]);
}

void flk_wakeup_fd_send(const struct wakeup_fd *ends)
{
    while (flk_is_marked(ends->fd[1]) && eventfd_write(ends->fd[1], 1) != 0 && errno == EINTR)
        ;
}

void flk_wakeup_fd_drain(const struct wakeup_fd *ends)
{
    eventfd_t count;

    if (flk_is_marked(ends->fd[0]))
        (void) eventfd_read(ends->fd[0], &count);
}

void flk_wakeup_fd_close(const struct wakeup_fd *ends)
{
    flk_close_marked(ends->fd[0]);
}
