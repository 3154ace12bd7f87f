/* SPDX-License-Identifier: MIT
 *
 * Publishing a marker, where the system has no files without a name.
 */
#include "config.h"

#include <errno.h>

#include "soft/publish.h"

int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size)
{
    (void) path;
    (void) mode;
    (void) bytes;
    (void) size;
    return -ENOTSUP;
}
