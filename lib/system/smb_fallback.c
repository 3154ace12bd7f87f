/* SPDX-License-Identifier: MIT
 *
 * SMB, where its client was not tried: files there are treated like others.
 */
#include "config.h"

#include "system/remote.h"

int flk_file_is_smb(int fd)
{
    (void) fd;
    return 0;
}

bool flk_file_path_is_smb(const char *path)
{
    (void) path;
    return false;
}
