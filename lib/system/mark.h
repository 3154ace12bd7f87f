/* SPDX-License-Identifier: MIT
 *
 * Marks on descriptors, by which the library recognizes its own.
 *
 * A program may close the descriptors of a wait, and open others by the same numbers (own_file.h).  The kernel has a
 * single file for all descriptors of such a kind (eventfd, inotify, pidfd), so fstat(2) does not tell the library's
 * from the program's.
 */
#ifndef FLK_MARK_H
#define FLK_MARK_H

#include <stdbool.h>

/*
 * Marks a new descriptor, and moves it above the standard ones.  Takes -1 as well, and then returns it.
 *   0 or more  the marked descriptor
 *   -1         errno tells why; the descriptor is closed
 */
int flk_mark(int fd);

/* True if the descriptor is open and marked.  False for -1. */
bool flk_is_marked(int fd);

void flk_close_marked(int fd);

#endif
