/* SPDX-License-Identifier: MIT
 *
 * Deadlines.
 */
#include "config.h"

#include "deadline.h"
#include "platform.h"

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
    /* What lies beyond the clock's range, 292 years, is never. */
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
