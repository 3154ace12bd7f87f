/* SPDX-License-Identifier: MIT
 *
 * O_TMPFILE of Linux: a file without a name, which a crash leaves nothing of (open(2)).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix/file.h"
#include "posix/publish.h"

/* Any doubt is left to the other way of publishing, which says clearly what is wrong. */
static int open_unnamed(const char *path, unsigned mode)
{
    char *folder = flk_file_parent(path);
    int fd = folder != NULL ? flk_file_open_flags(folder, O_RDWR | O_TMPFILE, (mode_t) (mode != 0 ? mode : 0666)) : -1;

    free(folder);
    return fd;
}

static int refused(int error)
{
    return error == EEXIST || error == ENOSPC || error == EIO || error == EROFS ? -error : -ENOTSUP;
}

/* The first call is the quicker one, but older kernels allow it to the privileged only. */
static int give_name(int fd, const char *path)
{
    char self[48];

    if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOENT && errno != EPERM && errno != EINVAL)
        return refused(errno);
    (void) snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    return refused(errno);
}

int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size)
{
    int fd = open_unnamed(path, mode), rc;

    if (fd < 0)
        return -ENOTSUP;
    rc = mode != 0 && fchmod(fd, (mode_t) mode) != 0 ? -errno : 0;
    if (rc == 0)
        rc = flk_marker_fill(fd, bytes, size);
    if (rc == 0)
        rc = give_name(fd, path);
    if (rc == 0)
        return fd;
    (void) close(fd);
    return rc;
}
