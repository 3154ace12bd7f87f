/* SPDX-License-Identifier: MIT
 *
 * A lock of the operating system, as os_lock.c uses it: a few calls on an open descriptor.
 */
#ifndef FLK_BACKEND_H
#define FLK_BACKEND_H

#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

/* A lock that a caller waits for, by an open descriptor. */
struct lock_request {
    int fd;
    struct identity id; /* of the file, when the wait began */
    struct range range;
    enum filelock_mode mode;
};

/* The functions return 0 or a negative errno value.  -ENOTSUP: the file system lacks this lock. */
struct backend {
    /* An exclusive lock needs a descriptor that can be written, a shared lock a descriptor that can be read. */
    bool access_counts;

    /* Names in /proc/locks of the locks that conflict with this lock, its own first, separated by blanks. */
    const char *proc_names;

    /* Takes the lock without waiting.  Also returns CONTENDED: another holder has it. */
    enum outcome (*try)(int fd, const struct range *range, enum filelock_mode mode);

    /*
     * Waits for the lock within limits.  Returns as flk_helper_call() does, and -ESTALE if the descriptor is not that of
     * the file any more.
     */
    enum outcome (*wait)(const struct lock_request *request, const struct limits *limits);

    /*
     * Waits for the lock in a helper thread, without limits.  stop: as flk_job_stopper() returns it; when it is ready,
     * returns -ECANCELED.
     */
    int (*block)(const struct lock_request *request, filelock_waitable stop);

    /* A descriptor that has the lock is granted it again at once by try. */
    bool grants_again;

    /*
     * Changes the mode of the lock that fd has, without waiting.  Returns as try does.  After an error the lock has the
     * mode that it had.
     */
    enum outcome (*convert)(int fd, const struct range *range, enum filelock_mode mode);

    /* Unlocks.  Returns 0 also for a descriptor that holds no lock. */
    int (*unlock)(int fd, const struct range *range);
};

#endif
