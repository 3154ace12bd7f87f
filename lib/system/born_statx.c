/* SPDX-License-Identifier: MIT
 *
 * When a file was made, by statx(2).
 */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "system/born.h"

bool flk_file_born(const char *path, int64_t *ns)
{
    struct statx found;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &found) != 0 || (found.stx_mask & STATX_BTIME) == 0)
        return false;
    *ns = found.stx_btime.tv_sec * 1000000000 + found.stx_btime.tv_nsec;
    return true;
}
