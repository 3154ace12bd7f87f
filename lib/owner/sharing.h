/* SPDX-License-Identifier: MIT
 *
 * Leaving a lock that was shared by fork: the record is made to name a process that goes on holding it.
 */
#ifndef FLK_SHARING_H
#define FLK_SHARING_H

#include "owner/openers.h"

/*
 * Wait this long for a forked process to execute a program.  Until then it has a copy of a descriptor that the program
 * will not have, and only seems to hold the lock.
 */
#define FLK_PASSING_MS 50

/*
 * Makes the record in an open file name a holder other than this process, if there is one.  writable: the same file,
 * open for writing, or -1.  last_forker: the member of that name in the lock's state.  Returns
 *   HOLDS         another process is seen to hold the lock, and the record names it unless writable is -1
 *   HOLDS_UNSEEN  another process is trusted to hold the lock, and cannot be looked into; it is named likewise
 *   HOLDS_NOT     no other holder is found
 *   -EMFILE, -ENFILE or -ENOMEM: it cannot be found out
 */
int flk_sharing_name_holder(int fd, int writable, const struct shared_lock *lock, int64_t last_forker);

#endif
