/* SPDX-License-Identifier: MIT
 *
 * A wake-up by pipe(2): two descriptors, on every POSIX system.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "posix/file.h"
#include "posix/pipe.h"
#include "posix/wakeup_fd.h"

static int prepare(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ? -errno : 0;
}

int flk_wakeup_fd_open(int fd[2])
{
    int rc;

    if (flk_pipe(fd) != 0)
        return -errno;
    fd[0] = flk_file_above_standard(fd[0]);
    fd[1] = flk_file_above_standard(fd[1]);
    rc = prepare(fd[0]);
    if (rc == 0)
        rc = prepare(fd[1]);
    if (rc != 0) {
        (void) close(fd[0]);
        (void) close(fd[1]);
    }
    return rc;
}

/* A full pipe is a signal as well. */
void flk_wakeup_fd_send(const int fd[2])
{
    while (write(fd[1], "", 1) < 0 && errno == EINTR)
        ;
}

void flk_wakeup_fd_drain(const int fd[2])
{
    char bytes[16];

    while (read(fd[0], bytes, sizeof(bytes)) > 0)
        ;
}
