/* SPDX-License-Identifier: MIT
 *
 * Releases of an operating system's lock that do more than unlock.
 */
#ifndef FLK_RELEASE_H
#define FLK_RELEASE_H

#include "kind.h"
#include "os/os_file.h"

/* Unlocks, and removes the file if that harms no other process.  Returns as release of struct kind does. */
int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os);

/*
 * Releases a lock that a relative by fork may hold as well, and cleans up if no relative holds it any more.  Returns as
 * release of struct kind does.
 */
int flk_os_lock_release_shared(const struct target *target, struct os_lock *os);

#endif
