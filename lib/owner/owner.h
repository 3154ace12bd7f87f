/* SPDX-License-Identifier: MIT
 *
 * The holder of a lock, and the record in the file of the lock that names the holder.
 */
#ifndef FLK_OWNER_H
#define FLK_OWNER_H

#include <stdbool.h>

#include <filelock.h>

#include "owner/record.h"

/* Describes the writer of a record: what the record tells, and whether the process is alive now. */
void flk_owner_from_record(const struct record *record, struct filelock_owner *owner);

/* Reads the record of an open file.  False: the file has no record of the form that this library writes. */
bool flk_owner_read(int fd, struct record *record);

/*
 * Writes a record of another holder into the file of a lock, on platforms that fork.  The file is a marker or a lock
 * file, and contains nothing but the record.  Returns
 *   0       the record names that process
 *   -ESRCH  there is no such process
 *   -errno
 */
int flk_owner_name(int fd, int64_t pid);

/*
 * Gives up a marker that cannot be removed: its record becomes a lease of 2 s that names a pid which no system gives to
 * a process.  Contenders of this host see at once that the marker is stale.  Contenders of other hosts cannot see that,
 * and take the marker over when the lease has ended.  Returns 0 or -errno.
 */
int flk_owner_disown(int fd);

#endif
