/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits for OFD locks.  Some systems can wait for them until a deadline.
 */
#ifndef FLK_POSIX_OFD_WAIT_H
#define FLK_POSIX_OFD_WAIT_H

#include <fcntl.h>
#include <unistd.h>

#include "os/backend.h"
#include "os/blocking.h"
#include "outcome.h"
#include "wait/limits.h"

/* Returns what fcntl(2) is given for a lock of this type. */
static inline struct flock flk_ofd_lock(const struct range *range, short type)
{
    return (struct flock) {
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t) range->start, .l_len = (off_t) range->length
    };
}

static inline short flk_ofd_type(enum filelock_mode mode)
{
    return mode == FILELOCK_SHARED ? F_RDLCK : F_WRLCK;
}

/* Waits and returns as wait of struct backend does.  block: locks without limits. */
enum outcome flk_ofd_within(const struct lock_request *request, blocking_function *block, const struct limits *limits);

#endif
