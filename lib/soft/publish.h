/* SPDX-License-Identifier: MIT
 *
 * Publishing a marker from a file that has no name, where the system has such files.
 */
#ifndef FLK_PUBLISH_H
#define FLK_PUBLISH_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Writes a marker into a file without a name, and links that to the path.  Returns the descriptor, or -errno; -ENOTSUP:
 * that cannot be done here, and the file needs a name.
 */
int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size);

#endif
