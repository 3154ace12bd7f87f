/* SPDX-License-Identifier: MIT
 *
 * Waiting within limits, for providers.
 */
#include "config.h"

#include <filelock-provider.h>

#include "wait/limits.h"
#include "wait/objects.h"

#define NS_PER_MS 1000000

int filelock_provider_wait(const struct filelock_provider_limits *given, filelock_waitable ready, int64_t at_most_ms)
{
    const struct limits *limits = (const struct limits *) (const void *) given;
    int64_t ns = at_most_ms >= 0 && at_most_ms < FLK_NEVER / NS_PER_MS ? at_most_ms * NS_PER_MS : FLK_NEVER;
    int rc = flk_wait_within(&ready, ready != FILELOCK_NO_WAITABLE, limits, flk_after(ns));

    return rc > 0 ? 0 : rc;
}
