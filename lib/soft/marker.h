/* SPDX-License-Identifier: MIT
 *
 * Publishing and leaving markers.  A marker is a file whose existence is a lock.
 */
#ifndef FLK_MARKER_H
#define FLK_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/file.h"

/*
 * Makes the marker appear at the path with all of its contents.  *fd is the marker, open for writing, and locked by
 * flock(2) where the file system can.  mode: as options.file_mode.  Returns 0 or -errno; -EEXIST: there is a marker.
 */
int flk_marker_publish(const char *path, unsigned mode, bool make_parents, const char *bytes, size_t size, int *fd);

/*
 * Leaves a marker that was shared by fork: closes *fd and sets it to -1.  If other processes go on holding the lock,
 * the marker is made to name one of them.  If none does, it is removed.
 *
 * last_forker: the process that last forked while it held the lock.  It is this process or the process that this one
 * was forked from.  for_good: the marker is left whatever happens.
 *
 * Returns 0, or -errno and the lock is held as before.  For good, the result is always 0.
 */
int flk_marker_release_shared(const char *path, const struct identity *id, int64_t last_forker, bool for_good, int *fd);

#endif
