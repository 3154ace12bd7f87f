/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits for flock(2).  Not every system can take a thread out of that call.
 */
#ifndef FLK_FLOCK_WAIT_H
#define FLK_FLOCK_WAIT_H

#include "os/backend.h"
#include "os/blocking.h"
#include "outcome.h"
#include "wait/limits.h"

/* Both functions of flock(2), by which a wait locks. */
struct flock_calls {
    enum outcome (*try)(int fd, const struct range *range, enum filelock_mode mode);
    blocking_function *block;
};

/* Waits and returns as wait of struct backend does. */
enum outcome flk_flock_within(const struct lock_request *request, const struct flock_calls *calls,
                              const struct limits *limits);

#endif
