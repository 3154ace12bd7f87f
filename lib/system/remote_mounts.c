/* SPDX-License-Identifier: MIT
 *
 * Remote file systems, where the mount says whether it is local: MNT_LOCAL of macOS.
 */
#include "config.h"

#include <sys/param.h>
#include <sys/mount.h>

#include "system/remote.h"

bool flk_file_is_remote(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) != 0 || (fs.f_flags & MNT_LOCAL) == 0;
}

bool flk_file_path_is_remote(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) != 0 || (fs.f_flags & MNT_LOCAL) == 0;
}

bool flk_file_names_age(int fd, const struct identity *id)
{
    (void) id;
    return flk_file_is_remote(fd);
}
