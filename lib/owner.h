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

/* In a forked child that holds the lock as well: the record, in an open file, is to name it. */
void flk_owner_forked(int fd);

/*
 * A process leaves a lock that others hold: if the record names it, it is to name the one that it shares the lock
 * with, if that is alive.
 */
void flk_owner_leaves(int fd, int64_t sharer);

#endif
