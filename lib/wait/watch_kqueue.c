/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go, and for its holder to end, by kqueue(2).  The kernel tells that a directory has changed,
 * but not which name in it.  So the caller looks after each change, and rests in between if changes are frequent.
 * Where events cannot be had, the waiter looks again after a nap.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/event.h>

#include "system/clock.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "system/mark.h"
#include "system/own_file.h"
#include "system/remote.h"
#include "wait/events.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/poll.h"
#include "wait/watch.h"

/* The descriptors of a watch. */
enum { EVENTS, FOLDER };

static struct list all_open; /* under the guard */

/* ---- Open and close ------------------------------------------------------------------------- */

/* Opens the directory without the guard, since that may block.  After a fork meanwhile, opens it again. */
static void open_folder(struct watch *watch, const char *folder)
{
    for (;;) {
        unsigned epoch = flk_open_begin();
        struct identity id;
        int fd = flk_file_above_standard(open(folder, O_EVTONLY | O_DIRECTORY | O_CLOEXEC));
        bool known = fd >= 0 && flk_file_identity(fd, &id) == 0, kept = flk_open_commit(epoch);

        if (kept && known) {
            watch->fd[FOLDER] = fd;
            watch->folder = id;
        }
        flk_guard_unlock();
        if (fd >= 0 && !(kept && known))
            flk_file_close(fd);
        if (kept || fd < 0)
            return;
    }
}

/* Closes without the guard. */
static void close_folder(struct watch *watch)
{
    int fd;

    flk_guard_lock();
    fd = watch->fd[FOLDER];
    watch->fd[FOLDER] = -1;
    flk_guard_unlock();
    flk_own_close(fd, &watch->folder);
}

void flk_watch_open(struct watch *watch, const char *path)
{
    char *folder = flk_file_parent(path);

    *watch = (struct watch) { .fd = { -1, -1 }, .nap = FLK_FIRST_NAP, .name = flk_file_name(path) };
    flk_guard_lock();
    flk_list_add(&all_open, &watch->link);
    watch->fd[EVENTS] = flk_events_open();
    flk_guard_unlock();
    /* Other hosts do not tell this kernel what they do in a remote file system. */
    if (folder != NULL && watch->fd[EVENTS] >= 0 && !flk_file_path_is_remote(folder))
        open_folder(watch, folder);
    free(folder);
    if (watch->fd[FOLDER] >= 0 && !flk_events_of_directory(watch->fd[EVENTS], watch->fd[FOLDER]))
        close_folder(watch);
}

void flk_watch_close(struct watch *watch)
{
    int events;

    close_folder(watch);
    flk_guard_lock();
    events = watch->fd[EVENTS];
    watch->fd[EVENTS] = -1;
    flk_list_remove(&all_open, &watch->link);
    flk_guard_unlock();
    flk_close_marked(events);
}

void flk_watch_drop_spare(void)
{
}

static void child_forked(bool prepared)
{
    (void) prepared;
    for (struct link *link = all_open.first; link != NULL; link = link->next) {
        struct watch *watch = LINK_OWNER(link, struct watch, link);

        flk_close_marked(watch->fd[EVENTS]);
        flk_own_close(watch->fd[FOLDER], &watch->folder);
    }
    all_open.first = NULL;
}

const struct subscriber flk_watches_subscriber = { .child_forked = child_forked };

/* ---- Watching ------------------------------------------------------------------------------- */

/* Takes the events that are there, and keeps what they tell until a wait has returned because of it. */
static void take_events(struct watch *watch)
{
    struct told told = flk_events_take(watch->fd[EVENTS]);

    watch->changed = watch->changed || told.file;
    watch->ended = watch->ended || told.ended;
    if (told.ended)
        watch->follows = false;
    if (told.gone)
        close_folder(watch); /* another directory may take its place */
}

bool flk_watch_process(struct watch *watch, int64_t pid, const char *token)
{
    bool same = pid == watch->kept.pid && strcmp(token, watch->kept.token) == 0;

    take_events(watch);
    if (same && !watch->ended)
        return watch->follows;
    if (watch->follows)
        flk_events_forget_process(watch->fd[EVENTS], watch->kept.pid);
    watch->kept.pid = pid;
    (void) snprintf(watch->kept.token, sizeof(watch->kept.token), "%s", token);
    watch->ended = false;
    watch->follows = flk_events_of_process(watch->fd[EVENTS], pid);
    return false;
}

/* Rest between looks, longer each time, from REST_FIRST to REST_LAST, while changes follow each other in BUSY. */
#define REST_FIRST 50000 /* ns */
#define REST_LAST 8000000
#define BUSY 50000000

/* Rests if the caller has looked just before because of a change.  Returns 0, or as flk_poll_within() does. */
static int rest(struct watch *watch, const struct limits *limits, int64_t until)
{
    struct pollfd cancel;
    int64_t since = flk_now() - watch->looked, end = watch->looked + watch->pause;
    int rc = since < watch->pause ? flk_poll_within(&cancel, 1, limits, end < until ? end : until) : 0;

    if (since >= BUSY)
        watch->pause = REST_FIRST;
    else if (watch->pause < REST_LAST)
        watch->pause *= 2;
    watch->looked = flk_now();
    return rc;
}

/* True if the kernel tells of all that the waiter waits for. */
static bool sees(const struct watch *watch)
{
    return flk_is_marked(watch->fd[EVENTS]) && watch->fd[FOLDER] >= 0 && (watch->kept.pid == 0 || watch->follows);
}

void flk_watch_renew(struct watch *watch)
{
    take_events(watch);
    watch->changed = false;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    int64_t nap = sees(watch) ? FLK_NEVER : flk_next_nap(&watch->nap);
    int64_t until = flk_after(nap < at_most ? nap : at_most);
    bool ours = flk_is_marked(watch->fd[EVENTS]);
    struct pollfd fds[2] = { { .fd = ours ? watch->fd[EVENTS] : -1, .events = POLLIN } };
    int rc = 0;

    take_events(watch);
    if (!watch->changed && !watch->ended)
        rc = flk_poll_within(fds, 2, limits, until);
    if (rc > 0)
        take_events(watch);
    if (rc < 0 || watch->ended || !watch->changed)
        return rc < 0 ? rc : 0;
    watch->changed = false;
    return rest(watch, limits, until);
}
