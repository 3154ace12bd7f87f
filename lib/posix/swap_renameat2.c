/* SPDX-License-Identifier: MIT
 *
 * Swapping two names by renameat2(2) of Linux.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix/marker.h"

/* RENAME_EXCHANGE; not every C library has that, or the function. */
#define EXCHANGE 2u

int flk_marker_swap(const char *a, const char *b)
{
    if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, EXCHANGE) == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP ? -ENOTSUP : -errno;
}
