/* SPDX-License-Identifier: MIT
 *
 * A lock of the operating system, as os_lock.c uses it: a few calls on an open descriptor.
 */
#ifndef FLK_BACKEND_H
#define FLK_BACKEND_H

#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

/* The functions return 0 or a negative errno value.  -ENOTSUP: the file system lacks this lock. */
struct backend {
    /* An exclusive lock needs a descriptor that can be written, a shared lock a descriptor that can be read. */
    bool access_counts;

    /* Names in /proc/locks of the locks that conflict with this lock, its own first, separated by blanks. */
    const char *proc_names;

    /* Takes the lock without waiting.  Also returns CONTENDED: another holder has it. */
    enum outcome (*try)(int fd, const struct range *range, enum filelock_mode mode);

    /* Waits for the lock.  Also returns -ETIMEDOUT, -ECANCELED, -EINTR: a limit was reached; the lock is not held. */
    int (*wait)(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits);

    /*
     * Waits for the lock in a helper thread, without limits.  stop: as flk_job_stopper() returns it; when it is ready,
     * returns -ECANCELED.
     */
    enum outcome (*block)(int fd, const struct range *range, enum filelock_mode mode, filelock_waitable stop);

    /* A descriptor that has the lock is granted it again at once by try. */
    bool grants_again;

    /*
     * Changes the mode of the lock that fd has.  Waits and returns as wait does.  If limits is NULL, does not wait, and
     * also returns CONTENDED.  After an error the lock has the mode that it had.  NULL: modes cannot be changed.
     */
    int (*convert)(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits);

    /* Unlocks.  Returns 0 also for a descriptor that holds no lock. */
    int (*unlock)(int fd, const struct range *range);
};

#endif
