/* SPDX-License-Identifier: MIT
 *
 * raw.h - locks of the system, taken and looked at without the library.
 */
#ifndef RAW_H
#define RAW_H

#include "testing.h"

struct raw_lock {
    const struct kind *kind;
    const char *path;
    int fd;
    int held;
};

/* Locks exclusively, without waiting.  Returns 0, or -1 if another holder has the lock. */
int raw_lock(struct raw_lock *lock, const struct kind *kind, const char *path);

/* Locks as raw_lock() does, but shared. */
int raw_share(struct raw_lock *lock, const struct kind *kind, const char *path);

/* Unlocks; does nothing if the lock is not held. */
void raw_unlock(struct raw_lock *lock);

/* True if the lock has not been taken away. */
int raw_is_held(const struct raw_lock *lock);

/* True if there is a holder. */
int raw_is_locked(const struct kind *kind, const char *path);

/* True if there is an exclusive holder. */
int raw_is_exclusive(const struct kind *kind, const char *path);

#endif
