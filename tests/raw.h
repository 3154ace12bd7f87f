/* SPDX-License-Identifier: MIT
 *
 * raw.h - locks as the system has them, taken and looked at without the library.
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

/* Exclusively, without waiting: 0, or -1 if somebody else has it. */
int raw_lock(struct raw_lock *lock, const struct kind *kind, const char *path);

/* Also of one that is not held: nothing. */
void raw_unlock(struct raw_lock *lock);

/* That nobody has taken it away. */
int raw_is_held(const struct raw_lock *lock);

/* Whether anybody has it. */
int raw_is_locked(const struct kind *kind, const char *path);

#endif
