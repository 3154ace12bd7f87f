/* SPDX-License-Identifier: MIT
 *
 * locks.h - the locks that the system lists, with their holders and waiters; one locks_*.c is linked.
 */
#ifndef LOCKS_H
#define LOCKS_H

#include "sighting.h"

#include <sys/stat.h>

/*
 * Waiters for a soft lock queue up by OFD locks of single bytes of its marker, from this byte on (doc/soft.md, "Queue").
 * These are no locks on the file.
 */
#define LOCKS_QUEUE_START ((int64_t) 1 << 32)

/*
 * Adds a sighting for each process that is seen to hold an operating-system lock or to wait for one.  path: only locks
 * on this file, and each sighting has this path; NULL: all locks, each with the path that the system shows, if it shows
 * one.  Returns
 *   0         the list is as complete as this user may see it; if there is no such file, nothing was added
 *   -ENOTSUP  this system has no such list
 *   -errno
 */
int locks_list(const char *path, struct sightings *sightings);

/* Gives the path of a file to the sightings of locks on it whose path is not known.  Returns 0 or -ENOMEM. */
int locks_name(struct sightings *sightings, const struct stat *st, const char *path);

/*
 * Adds a sighting for each process that is seen to wait for a soft lock whose holder is in the list.  A waiter is known
 * by what it watches: the directory of the marker, and the holder.  Returns 0 or -ENOMEM.
 */
int locks_list_soft_waiters(struct sightings *sightings);

#endif
