/* SPDX-License-Identifier: MIT
 *
 * Waking by pipe(2), which every POSIX system has: two descriptors.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "system/file.h"
#include "system/file_posix.h"
#include "system/own_file.h"
#include "system/pipe.h"
#include "wait/wakeup_fd.h"

static int prepare(int fd, struct identity *id)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ? -errno : flk_file_identity(fd, id);
}

int flk_wakeup_fd_open(struct wakeup_fd *ends)
{
    int *fd = ends->fd, rc;

    if (flk_pipe(fd) != 0)
        return -errno;
    fd[0] = flk_file_above_standard(fd[0]);
    fd[1] = flk_file_above_standard(fd[1]);
    rc = prepare(fd[0], &ends->id[0]);
    if (rc == 0)
        rc = prepare(fd[1], &ends->id[1]);
    if (rc != 0) {
        (void) close(fd[0]);
        (void) close(fd[1]);
    }
    return rc;
}

static bool is_ours(const struct wakeup_fd *ends, int end)
{
    return ends->fd[end] >= 0 && flk_own_file(ends->fd[end], &ends->id[end]) == 0;
}

bool flk_wakeup_fd_is_ours(const struct wakeup_fd *ends)
{
    return is_ours(ends, 0);
}

/* Ignores a full pipe, which is a signal as well. */
void flk_wakeup_fd_send(const struct wakeup_fd *ends)
{
    while (is_ours(ends, 1) && write(ends->fd[1], "", 1) < 0 && errno == EINTR)
        ;
}

void flk_wakeup_fd_drain(const struct wakeup_fd *ends)
{
    char bytes[16];

    while (is_ours(ends, 0) && read(ends->fd[0], bytes, sizeof(bytes)) > 0)
        ;
}

void flk_wakeup_fd_close(const struct wakeup_fd *ends)
{
    flk_own_close(ends->fd[0], &ends->id[0]);
    flk_own_close(ends->fd[1], &ends->id[1]);
}
