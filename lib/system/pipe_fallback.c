/* SPDX-License-Identifier: MIT
 *
 * pipe(2), for systems without pipe2(2): a program that another thread executes between the calls gets a copy.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "system/pipe.h"

int flk_pipe(int fd[2])
{
    if (pipe(fd) != 0)
        return -1;
    (void) fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    (void) fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    return 0;
}
