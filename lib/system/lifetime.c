/* SPDX-License-Identifier: MIT
 *
 * The subscribers, and how they are told of forks and ends.
 */
#include "config.h"

#include <stddef.h>

#include "system/guard.h"
#include "system/lifetime.h"

static const struct subscriber *const nobody[] = { NULL };
static const struct subscriber *const *subscribers = nobody; /* set before a handler is registered */
static bool started;                                         /* under the guard */

/* clang-format off */
#define EACH_SUBSCRIBER(each) const struct subscriber *const *each = subscribers; *each != NULL; each++
/* clang-format on */

void flk_tell_thread_ended(void)
{
    for (EACH_SUBSCRIBER(each))
        if ((*each)->thread_ended != NULL)
            (*each)->thread_ended();
}

bool flk_tell_before_fork(void)
{
    bool waits = false;

    for (EACH_SUBSCRIBER(each))
        if ((*each)->before_fork != NULL)
            waits = (*each)->before_fork() || waits;
    return waits;
}

void flk_tell_parent_forked(void)
{
    for (EACH_SUBSCRIBER(each))
        if ((*each)->parent_forked != NULL)
            (*each)->parent_forked();
}

void flk_tell_child_forked(bool prepared)
{
    for (EACH_SUBSCRIBER(each))
        if ((*each)->child_forked != NULL)
            (*each)->child_forked(prepared);
}

/* Does without pthread_once(3): without memory the start fails, and the next call may succeed. */
int flk_lifetime_start(const struct subscriber *const *all, int (*watch_end)(void))
{
    int rc = 0;

    flk_guard_lock();
    if (!started) {
        subscribers = all;
        rc = flk_lifetime_register(watch_end);
        started = rc == 0;
    }
    flk_guard_unlock();
    return rc;
}

void flk_lifetime_end(void)
{
    if (!started)
        return;
    for (EACH_SUBSCRIBER(each))
        if ((*each)->process_ends != NULL)
            (*each)->process_ends();
    flk_lifetime_unregister();
}
