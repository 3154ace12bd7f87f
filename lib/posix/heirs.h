/* SPDX-License-Identifier: MIT
 *
 * Who goes on holding a lock that was shared by fork, and is to be named by its record.
 */
#ifndef FLK_POSIX_HEIRS_H
#define FLK_POSIX_HEIRS_H

#include "posix/openers.h"

/*
 * Sees to it that the record in an open file names another holder than this process, if one is known: HOLDS;
 * HOLDS_UNSEEN: it is trusted to be one; HOLDS_NOT: none is; or -EMFILE, -ENFILE, -ENOMEM: that cannot be seen.
 * writable: the same file, open for writing, or -1.  sharer: as in the states of locks.
 */
int flk_heirs_name(int fd, int writable, const struct shared_lock *lock, int64_t sharer);

#endif
