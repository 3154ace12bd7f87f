/* SPDX-License-Identifier: MIT
 *
 * Watches: a thread waits for a path to be removed, or for a process to end.
 */
#ifndef FLK_WATCH_H
#define FLK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "wait/limits.h"
#include "wait_types.h"

/*
 * A struct watch waits for a path to be removed or a process to end, whichever is first.  If the system does not tell
 * of these, the watch naps as a wake-up does.
 */
void flk_watch_open(struct watch *watch, const char *path);

/*
 * Sets which process is watched.  pid: 0 for none.  token: the token of the process's record.  True if the same process
 * was watched before, and has not ended since.  So if it was alive after that watch began, it is still alive.
 */
bool flk_watch_process(struct watch *watch, int64_t pid, const char *token);
void flk_watch_close(struct watch *watch);

/* Waits and returns as flk_wakeup_wait() does; also returns 0 after at_most ns. */
int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most);

/* Forgets what has happened until now: the caller looks at the path next. */
void flk_watch_renew(struct watch *watch);

/* Gives back what was kept for the next watch: for when no thread has watched for a while, or none will. */
void flk_watch_drop_spare(void);

/* Closes the copies that a child has. */
extern const struct subscriber flk_watches_subscriber;

#endif
