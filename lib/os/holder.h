/* SPDX-License-Identifier: MIT
 *
 * The holder of an operating system's lock, as far as the system tells.
 */
#ifndef FLK_HOLDER_H
#define FLK_HOLDER_H

#include <stdbool.h>

#include "kind.h"
#include "system/file.h"

/* Answers filelock_owner() for a target whose kind has a backend.  Caller has zeroed owner, except its size. */
int flk_owner_of_file(const struct target *target, struct filelock_owner *owner);

/*
 * True if the system lists more for an open file than a single lock, which is the caller's: another lock, or a wait for
 * a lock.  False also if the system lists no locks, or none of this file system, or only far down a long list.
 */
bool flk_file_is_wanted(int fd);

/*
 * Replaces the record of the process that has locked the range, at a place that other processes can read.  text: "" if
 * there is no record any more.  Returns 0 or -errno.
 */
int flk_holder_write(int fd, const struct range *range, const char *text, size_t size);

#endif
