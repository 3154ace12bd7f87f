/* SPDX-License-Identifier: MIT
 *
 * What an operating system's lock is to os_lock.c: a few calls on an open descriptor.
 */
#ifndef FLK_BACKEND_H
#define FLK_BACKEND_H

#include "kind.h"

/* Functions return 0 or a negative errno value; -ENOTSUP: the file system lacks this lock. */
struct backend {
    /* A descriptor that is not open for writing cannot be locked exclusively. */
    bool exclusive_needs_write;

    /* Names in /proc/locks of the locks that this one sees, its own first, separated by blanks. */
    const char *proc_names;

    /* Also FLK_CONTENDED: somebody else has it. */
    int (*try)(int fd, const struct range *range, enum filelock_mode mode);

    /* Also -ETIMEDOUT, -ECANCELED, -EINTR: a limit was reached, and the lock is not held. */
    int (*wait)(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits);

    /* Of a descriptor that holds nothing: 0. */
    int (*unlock)(int fd, const struct range *range);
};

#endif
