/* SPDX-License-Identifier: MIT
 *
 * Where a file cannot be without a name.
 */
#include "config.h"

#include <errno.h>

#include "posix/publish.h"

int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size)
{
    (void) path;
    (void) mode;
    (void) bytes;
    (void) size;
    return -ENOTSUP;
}
