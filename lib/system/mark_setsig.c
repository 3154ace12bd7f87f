/* SPDX-License-Identifier: MIT
 *
 * Marks by the signal that F_SETSIG sets.  Without O_ASYNC the kernel never sends it, and no program sets SIGCONT.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "system/file_posix.h"
#include "system/mark.h"

#define MARK SIGCONT

int flk_mark(int fd)
{
    int error;

    fd = flk_file_above_standard(fd);
    if (fd < 0 || fcntl(fd, F_SETSIG, MARK) == 0)
        return fd;
    error = errno;
    (void) close(fd);
    errno = error;
    return -1;
}

bool flk_is_marked(int fd)
{
    return fd >= 0 && fcntl(fd, F_GETSIG) == MARK;
}

void flk_close_marked(int fd)
{
    if (flk_is_marked(fd))
        (void) close(fd);
}
