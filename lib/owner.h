/* SPDX-License-Identifier: MIT
 *
 * Who holds an operating-system lock on a file.
 */
#ifndef FLK_OWNER_H
#define FLK_OWNER_H

#include "kind.h"
#include "record.h"

/* What a record tells of its writer, now. */
void flk_owner_from_record(const struct record *record, struct filelock_owner *owner);

/* As filelock_owner(), for a target whose kind has a backend; owner is zeroed but for its size. */
int flk_owner_of_file(const struct target *target, struct filelock_owner *owner);

#endif
