/* SPDX-License-Identifier: MIT
 *
 * Who holds a lock, and the record in its file that says so.
 */
#ifndef FLK_OWNER_H
#define FLK_OWNER_H

#include "kind.h"
#include "record.h"

/* What a record tells of its writer, now. */
void flk_owner_from_record(const struct record *record, struct filelock_owner *owner);

/* As filelock_owner(), for a target whose kind has a backend; owner is zeroed but for its size. */
int flk_owner_of_file(const struct target *target, struct filelock_owner *owner);

/* Writes the record of who has locked the range into the file: 0 or -errno. */
int flk_owner_write(int fd, const struct range *range, const struct record *record);

/*
 * Where processes fork, and the record is all that is in a file, be it a marker's or a lock file's: it is to name
 * another one that holds the lock.  0; -ESRCH: there is no such process; -errno.
 */
int flk_owner_name(int fd, int64_t pid);

#endif
