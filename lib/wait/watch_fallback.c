/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go by looking again, where the system does not tell.
 */
#include "config.h"

#include "system/lifetime.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/poll.h"
#include "wait/watch.h"

void flk_watch_open(struct watch *watch, const char *path)
{
    (void) path;
    watch->nap = FLK_FIRST_NAP;
}

void flk_watch_close(struct watch *watch)
{
    (void) watch;
}

bool flk_watch_process(struct watch *watch, int64_t pid, const char *token)
{
    (void) watch;
    (void) pid;
    (void) token;
    return false;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    struct pollfd cancel;
    int64_t nap = flk_next_nap(&watch->nap);

    return flk_poll_within(&cancel, 1, limits, flk_after(nap < at_most ? nap : at_most));
}

void flk_watch_renew(struct watch *watch)
{
    (void) watch;
}

void flk_watch_drop_spare(void)
{
}

const struct subscriber flk_watches_subscriber = { .child_forked = NULL };
