/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go, where the system does not tell: by looking again.
 */
#include "config.h"

#include "platform.h"
#include "posix/wakeup_fd.h"
#include "retry.h"

void flk_watch_open(struct watch *watch, const char *path)
{
    (void) path;
    flk_wakeup_open_napping(&watch->wakeup);
}

void flk_watch_close(struct watch *watch)
{
    flk_wakeup_close(&watch->wakeup);
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
    int64_t nap = flk_next_nap(&watch->wakeup);

    return flk_poll_within(&cancel, 1, limits, flk_after(nap < at_most ? nap : at_most));
}

void flk_watches_rest(void)
{
}

void flk_watches_forked(void)
{
}
