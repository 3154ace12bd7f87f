/* SPDX-License-Identifier: MIT
 *
 * Publishing a marker without a name of its own, where the system can.
 */
#ifndef FLK_POSIX_PUBLISH_H
#define FLK_POSIX_PUBLISH_H

#include <stddef.h>
#include <sys/types.h>

/* The descriptor, or -errno; -ENOTSUP: not here, a name is needed. */
int flk_marker_publish_unnamed(const char *path, unsigned mode, const char *bytes, size_t size);

/* Writes a new marker and locks it as far as that can be done.  0 or -errno. */
int flk_marker_fill(int fd, const char *bytes, size_t size);

#endif
