/* SPDX-License-Identifier: MIT
 *
 * What a POSIX system does not tell.
 */
#include "config.h"

#include "platform.h"

/* Then nothing is taken for certain. */
bool flk_file_is_remote(int fd)
{
    (void) fd;
    return true;
}

bool flk_file_path_is_remote(const char *path)
{
    (void) path;
    return true;
}

bool flk_file_is_written(const struct identity *id)
{
    (void) id;
    return false;
}
