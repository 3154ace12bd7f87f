/* SPDX-License-Identifier: MIT
 *
 * Break names, and the steps of taking a marker over on POSIX systems.
 */
#ifndef FLK_BREAK_NAMES_H
#define FLK_BREAK_NAMES_H

#include "soft/stale.h"
#include "system/file.h"

/*
 * Returns the break name that is made of a dead owner's marker, beside the path; to be freed.  No other marker ever has
 * the same break name.  The number of the marker's file would not be enough, because it is used again.
 */
char *flk_marker_aside(const char *path, const struct marker *dead);

/* Returns the break name to use after a break name that a planted file has; to be freed. */
char *flk_marker_aside_next(const char *path, const char *aside);

/* Publishes a draft under a break name, as flk_marker_publish() does at the path. */
int flk_marker_publish_aside(const char *path, const char *aside, const struct draft *draft, int *fd);

/* Swaps the files that two names stand for, in one step.  Returns 0 or -errno. */
int flk_marker_swap(const char *a, const char *b);

/*
 * Returns the name to which to move the marker away, to be freed.  NULL: no memory.  It is the break name, over the
 * draft; on SMB, where an open draft cannot be replaced, it is a private name.
 */
char *flk_marker_away(const char *path, const char *aside);

/* Moves a marker to a break name, where names cannot be swapped.  Returns 0 or -errno; -ENOENT: there is no marker. */
int flk_marker_displace(const char *path, const char *aside);

/* Moves a marker back to the path, if that is free, and else removes it.  The break name is free after that. */
void flk_marker_replace(const char *aside, const char *path);

/*
 * Removes what dead processes have left beside the path.  own: the marker that the caller has at the path, or NULL.
 * While the path names another marker, break names are left alone, because they may be in use.
 */
void flk_marker_sweep(const char *path, const struct identity *own);

#endif
