/* SPDX-License-Identifier: MIT
 *
 * Publishing a marker by O_TMPFILE of Linux (open(2)): a file without a name, of which a crash leaves nothing.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "soft/marker_file.h"
#include "soft/publish.h"
#include "system/file_posix.h"

/* Opens a file without a name.  Returns -1 on any error: the other ways of publishing tell what is wrong. */
static int open_unnamed(const char *path, unsigned mode)
{
    char *folder = flk_file_parent(path);
    int fd = folder != NULL ? flk_file_open_flags(folder, O_RDWR | O_TMPFILE, (mode_t) (mode != 0 ? mode : 0666)) : -1;

    free(folder);
    return fd;
}

/*
 * Links the file to the path.  Returns 0 or -errno.  The first call is quicker, but older kernels allow it to
 * privileged processes only.
 */
static int give_name(int fd, const char *path)
{
    char self[48];

    if (linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH) == 0)
        return 0;
    if (flk_marker_refused(errno) != -ENOTSUP)
        return -errno;
    (void) snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0)
        return 0;
    return flk_marker_refused(errno);
}

int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size)
{
    int fd = open_unnamed(path, mode), rc;

    if (fd < 0)
        return -ENOTSUP;
    rc = mode != 0 && fchmod(fd, (mode_t) mode) != 0 ? -ENOTSUP : 0;
    if (rc == 0)
        rc = flk_marker_fill(fd, bytes, size);
    if (rc == 0)
        rc = give_name(fd, path);
    if (rc == 0)
        return fd;
    (void) close(fd);
    return rc;
}
