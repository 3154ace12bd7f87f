/* SPDX-License-Identifier: MIT
 *
 * Locking and filling the file of a marker by flock(2), and what its errors mean.
 */
#include "config.h"

#include <errno.h>
#include <sys/file.h>

#include "soft/marker_file.h"
#include "system/file_posix.h"
#include "system/remote.h"

/* On SMB a locked marker could not be read, so markers do without there. */
int flk_marker_lock(int fd)
{
    if (flk_file_is_smb(fd) > 0)
        return -ENOTSUP;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR)
            return errno == EWOULDBLOCK ? -EWOULDBLOCK : -ENOTSUP;
    return 0;
}

void flk_marker_unlock(int fd)
{
    (void) flock(fd, LOCK_UN);
}

/* Locks first.  Then breakers leave the marker alone, however long its maker is stopped before it writes the record. */
int flk_marker_fill(int fd, const char *bytes, size_t size)
{
    (void) flk_marker_lock(fd); /* where the file system cannot lock, markers do without */
    return flk_file_write_all(fd, bytes, size);
}

int flk_marker_refused(int error)
{
    bool lasts = error == EEXIST || error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS;

    return lasts ? -error : -ENOTSUP;
}
