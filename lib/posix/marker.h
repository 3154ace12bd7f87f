/* SPDX-License-Identifier: MIT
 *
 * Markers moved: what taking them over is made of on this platform.
 */
#ifndef FLK_POSIX_MARKER_H
#define FLK_POSIX_MARKER_H

#include "platform.h"
#include "stale.h"

/*
 * The name beside the path that is made of a dead one's marker, and of no other ever: not of the number of its file
 * alone, which is used again.  To be freed.
 */
char *flk_marker_aside(const char *path, const struct marker *dead);

/* Publishes a draft under such a name, as flk_marker_publish() does at the path. */
int flk_marker_publish_aside(const char *path, const char *aside, const struct draft *draft, int *fd);

/* Swaps what two names stand for, in one step: 0, -ENOTSUP, -ENOENT, -errno. */
int flk_marker_swap(const char *a, const char *b);

/* Moves a marker aside, for want of swapping: 0, -ENOENT, -errno. */
int flk_marker_displace(const char *path, const char *aside);

/* Moves it back if the path is free; either way, nothing is left aside. */
void flk_marker_replace(const char *aside, const char *path);

/*
 * Removes what the dead have left beside the path.  own: the marker that the caller has there, or NULL.  While the
 * path names another's, what is made of the dead may be in use.
 */
void flk_marker_sweep(const char *path, const struct identity *own);

#endif
