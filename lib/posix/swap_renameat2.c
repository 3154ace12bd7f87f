/* SPDX-License-Identifier: MIT
 *
 * Swapping two names by renameat2(2) of Linux.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "posix/marker.h"

int flk_marker_swap(const char *a, const char *b)
{
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0)
        return 0;
    return errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP ? -ENOTSUP : -errno;
}
