/* SPDX-License-Identifier: MIT
 *
 * Taking an operating system's lock, for those who wait for it.
 */
#ifndef FLK_OS_TAKE_H
#define FLK_OS_TAKE_H

#include "kind.h"
#include "os/os_file.h"
#include "outcome.h"

/*
 * Opens the file, locks it and proves that the path names it, without waiting.  Returns as try of struct kind does.
 * CONTENDED: the file that is open, if any, is locked by another holder.
 */
enum outcome flk_os_lock_take(const struct target *target, struct os_lock *os, enum filelock_mode mode);

/*
 * Proves that the path still names the open file, which is locked.  Returns TAKEN, or AGAIN if the path names another
 * file, or an error.  If it is not TAKEN, nothing is locked.
 */
enum outcome flk_os_lock_prove(const struct target *target, struct os_lock *os, enum filelock_mode mode);

/* Returns AGAIN in place of -ESTALE, if the path can be opened anew, and closes the file.  Else returns rc. */
enum outcome flk_os_lock_gone(const struct target *target, struct os_lock *os, enum outcome rc);

/*
 * The open file cannot be locked.  Returns the error that the caller is told; or AGAIN, and the file is closed, if it is
 * to be opened in another way.
 */
enum outcome flk_os_lock_refused(struct os_lock *os, int error);

#endif
