/* SPDX-License-Identifier: MIT
 *
 * Calls by which a waiter gets an operating system's lock.
 */
#ifndef FLK_OS_LOOK_H
#define FLK_OS_LOOK_H

#include <stdbool.h>

#include "kind.h"
#include "os/os_file.h"
#include "wait/lookout.h"

/* Sets the lookout to a call that waits for the lock of the open file. */
void flk_os_want_call(const struct target *target, const struct os_lock *os, enum filelock_mode mode,
                      struct lookout *lookout);

/* True if the result of a call says that the file cannot be locked, not that the call had to end. */
bool flk_os_is_refusal(int result);

#endif
