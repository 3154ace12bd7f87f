/* SPDX-License-Identifier: MIT
 *
 * Markers moved: what taking them over is made of on this platform.
 */
#ifndef FLK_POSIX_MARKER_H
#define FLK_POSIX_MARKER_H

#include "platform.h"

/*
 * Another name beside the path; to be freed.  shared: the one that all breakers of it use, so that
 * whoever makes it is the only one; else one of this process's own.
 */
char *flk_marker_aside(const char *path, bool shared);

/* Swaps what two names stand for, in one step: 0, -ENOTSUP, -ENOENT, -errno. */
int flk_marker_swap(const char *a, const char *b);

/* Moves a marker aside, for want of swapping: 0, -ENOENT, -errno. */
int flk_marker_displace(const char *path, const char *aside);

/* Moves it back if the path is free; either way, nothing is left aside. */
void flk_marker_replace(const char *aside, const char *path);

/* Removes what processes of this host that are dead have left beside the path. */
void flk_marker_sweep(const char *path);

#endif
