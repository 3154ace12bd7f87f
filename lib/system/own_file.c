/* SPDX-License-Identifier: MIT
 *
 * Checks kept descriptors before they are used.
 */
#include "config.h"

#include <errno.h>

#include <filelock.h>

#include "system/file.h"
#include "system/own_file.h"

int flk_own_file(int fd, const struct identity *id)
{
    struct identity found;
    int rc = flk_file_identity(fd, &found);

    if (rc == -EBADF)
        return rc;
    return rc == 0 && !flk_file_same(&found, id) ? -ESTALE : 0;
}

void flk_own_close(int fd, const struct identity *id)
{
    if (fd >= 0 && flk_own_file(fd, id) == 0)
        flk_file_close(fd);
}
