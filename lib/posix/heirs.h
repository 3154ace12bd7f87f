/* SPDX-License-Identifier: MIT
 *
 * Who goes on holding a lock that was shared by fork, and is to be named by its record.
 */
#ifndef FLK_POSIX_HEIRS_H
#define FLK_POSIX_HEIRS_H

#include "posix/openers.h"

/*
 * Sees to it that the record in an open file, if it has one, names another holder than this process, if one is known:
 * 1; 0: none is; or -EMFILE, -ENFILE, -ENOMEM: that cannot be seen.  writable: the same file, open for writing, or -1.
 * sharer: as in the states of locks.
 */
int flk_heirs_name(int fd, int writable, const struct shared_lock *lock, int64_t sharer);

#endif
