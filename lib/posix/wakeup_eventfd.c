/* SPDX-License-Identifier: MIT
 *
 * A wake-up by eventfd(2): one descriptor.
 */
#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "posix/file.h"
#include "posix/wakeup_fd.h"

int flk_wakeup_fd_open(int fd[2])
{
    fd[0] = fd[1] = flk_file_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return fd[0] < 0 ? -errno : 0;
}

void flk_wakeup_fd_send(const int fd[2])
{
    while (eventfd_write(fd[1], 1) != 0 && errno == EINTR)
        ;
}

void flk_wakeup_fd_drain(const int fd[2])
{
    eventfd_t count;

    (void) eventfd_read(fd[0], &count);
}
