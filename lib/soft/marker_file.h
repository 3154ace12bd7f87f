/* SPDX-License-Identifier: MIT
 *
 * Locking and filling the file of a marker, and what its errors mean.
 */
#ifndef FLK_MARKER_FILE_H
#define FLK_MARKER_FILE_H

#include <stddef.h>

/* Locks an open marker, and does not wait.  Returns 0, -EWOULDBLOCK, or -ENOTSUP where markers cannot be locked. */
int flk_marker_lock(int fd);

/* Unlocks a marker, also for the copies of its descriptor that a forked child has.  The marker need not be locked. */
void flk_marker_unlock(int fd);

/* Locks a new marker, if that can be done, and writes it.  Returns 0 or -errno. */
int flk_marker_fill(int fd, const char *bytes, size_t size);

/*
 * Tells what an error of one way to publish means.  Returns -error if no other way would succeed (there is a marker, or
 * no room), else -ENOTSUP.  The errors that would stop every way are known.  The errors by which a way may be refused
 * are not: seccomp, preloaded libraries and file systems each have their own.
 */
int flk_marker_refused(int error);

#endif
