/* SPDX-License-Identifier: MIT
 *
 * Waiting for flock(2) where a thread that is cancelled leaves the call at once.
 */
#include "config.h"

#include "os/blocking.h"
#include "os/flock_wait.h"

enum outcome flk_flock_within(const struct lock_request *request, const struct flock_calls *calls,
                              const struct limits *limits)
{
    return flk_block_within(request, calls->block, limits);
}
