/* SPDX-License-Identifier: MIT
 *
 * pipe2(2), of POSIX.1-2024 and most systems before it.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "system/pipe.h"

int flk_pipe(int fd[2])
{
    return pipe2(fd, O_CLOEXEC);
}
