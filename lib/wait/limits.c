/* SPDX-License-Identifier: MIT
 *
 * Deadlines and what is left of them.
 */
#include "config.h"

#include <errno.h>

#include "system/clock.h"
#include "wait/limits.h"

#define NS_PER_MS 1000000

void flk_limits_start(struct limits *limits)
{
    int64_t now, wait = limits->timeout_ms;

    if (limits->deadline != 0)
        return;
    limits->deadline = FLK_NEVER;
    if (wait == FILELOCK_FOREVER)
        return;
    now = flk_now();
    /* A deadline beyond the clock's range, 292 years, is never reached. */
    if (wait <= (INT64_MAX - now) / NS_PER_MS)
        limits->deadline = now + wait * NS_PER_MS;
}

bool flk_limits_none(const struct limits *limits)
{
    return limits->deadline == FLK_NEVER && limits->cancel == FILELOCK_NO_WAITABLE && !limits->interruptible;
}

int64_t flk_limits_left(const struct limits *limits)
{
    int64_t now;

    if (limits->deadline == FLK_NEVER)
        return FLK_NEVER;
    now = flk_now();
    return now < limits->deadline ? limits->deadline - now : 0;
}

int64_t flk_after(int64_t ns)
{
    return ns == FLK_NEVER ? FLK_NEVER : flk_now() + ns;
}

struct limits flk_limits_within(const struct limits *limits, int64_t ns)
{
    struct limits within = *limits;
    int64_t end = flk_after(ns);

    within.deadline = end < limits->deadline ? end : limits->deadline;
    return within;
}

bool flk_is_limit(int rc)
{
    return rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EINTR || rc == -EINVAL;
}
