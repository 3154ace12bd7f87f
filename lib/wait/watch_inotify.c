/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go, by inotify(7) on its directory, and for its holder to end, by pidfd_open(2).  Where these
 * cannot be had, the waiter looks again after a nap.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "system/lifetime.h"
#include "system/list.h"
#include "system/mark.h"
#include "system/remote.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/nap.h"
#include "wait/poll.h"
#include "wait/watch.h"

/* A wait also ends when the directory itself goes: the next look finds that. */
#define EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

#define MAX_EVENT ((ssize_t) sizeof(struct inotify_event) + NAME_MAX + 1)

/* ---- Instances ------------------------------------------------------------------------------ */

/*
 * The kernel takes some 10 ms to close an instance that has just watched.  A waiter often waits again for the same lock
 * and the same process.  So the descriptors of a watch are kept for the next watch.  They are given back after some
 * seconds without a watch, since a user may have few instances.
 */
static const struct kept nothing = { .events = -1, .directory = -1, .process = -1 };
static struct list all_open;                                                 /* under the guard */
static struct kept spare = { .events = -1, .directory = -1, .process = -1 }; /* under the guard */

/* Caller holds the guard.  Takes the kept descriptors, if they are still the library's. */
static struct kept take_spare(void)
{
    struct kept taken = spare;

    spare = nothing;
    if (!flk_is_marked(taken.events))
        taken.events = taken.directory = -1;
    if (!flk_is_marked(taken.process))
        taken.process = -1;
    return taken;
}

/* Takes the guard, so that no fork comes between.  Opening an instance never blocks. */
static int open_events(struct watch *watch)
{
    int *fd = &watch->fd[0];

    flk_guard_lock();
    watch->kept = take_spare();
    *fd = watch->kept.events;
    watch->fd[1] = watch->kept.process;
    if (watch->kept.process < 0)
        watch->kept.pid = 0; /* a process that could not be watched is tried again */
    if (*fd < 0)
        *fd = flk_mark(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    flk_guard_unlock();
    return *fd;
}

/* Closes without the guard.  A child that is forked now has a copy until it executes; the copy keeps nothing alive. */
static void close_unguarded(int *fd)
{
    int taken;

    flk_guard_lock();
    taken = *fd;
    *fd = -1;
    flk_guard_unlock();
    flk_close_marked(taken);
}

/* The events of a single read(2).  more: there may be further events, for which there was no room. */
struct events {
    char bytes[4 * MAX_EVENT];
    ssize_t size;
    bool more;
};

static bool read_events(int fd, struct events *events)
{
    events->size = flk_is_marked(fd) ? read(fd, events->bytes, sizeof(events->bytes)) : -1;
    events->more = events->size + MAX_EVENT > (ssize_t) sizeof(events->bytes);
    return events->size > 0;
}

static void drain(int fd)
{
    struct events events;

    while (read_events(fd, &events) && events.more)
        ;
}

/* Moves the descriptors of the watch to the spare, unless the spare has some already. */
static void keep_spare(struct watch *watch)
{
    int *fd = watch->fd;

    flk_guard_lock();
    if (spare.events < 0) {
        spare = watch->kept;
        spare.events = fd[0];
        spare.process = fd[1];
        fd[0] = fd[1] = -1;
    }
    flk_guard_unlock();
}

static void close_events(struct watch *watch)
{
    watch->kept.directory = -1;
    close_unguarded(&watch->fd[0]);
}

void flk_watch_drop_spare(void)
{
    struct kept taken;

    flk_guard_lock();
    taken = take_spare();
    flk_guard_unlock();
    flk_close_marked(taken.events);
    flk_close_marked(taken.process);
}

static void close_both(const int fd[2])
{
    flk_close_marked(fd[0]);
    flk_close_marked(fd[1]);
}

static void child_forked(bool prepared)
{
    struct kept taken = take_spare();

    (void) prepared;
    close_both((int[]) { taken.events, taken.process });
    for (struct link *link = all_open.first; link != NULL; link = link->next)
        close_both(LINK_OWNER(link, struct watch, link)->fd);
    all_open.first = NULL;
}

const struct subscriber flk_watches_subscriber = { .child_forked = child_forked };

/* ---- Watching ------------------------------------------------------------------------------- */

/* Watches a single directory at a time.  Mostly that is the directory of the watch before. */
static bool watch_directory(struct watch *watch, const char *folder)
{
    int fd = watch->fd[0], before = watch->kept.directory;

    watch->kept.directory = inotify_add_watch(fd, folder, EVENTS);
    if (before >= 0 && before != watch->kept.directory)
        (void) inotify_rm_watch(fd, before);
    return watch->kept.directory >= 0;
}

void flk_watch_open(struct watch *watch, const char *path)
{
    char *folder = flk_file_parent(path);

    *watch = (struct watch) { .fd = { -1, -1 }, .nap = FLK_FIRST_NAP, .name = flk_file_name(path), .kept = nothing };
    flk_guard_lock();
    flk_list_add(&all_open, &watch->link);
    flk_guard_unlock();
    /* Other hosts do not tell this kernel what they do in a remote file system. */
    if (folder != NULL && !flk_file_path_is_remote(folder) && open_events(watch) >= 0) {
        if (watch_directory(watch, folder))
            drain(watch->fd[0]); /* events from before this watch */
        else
            close_events(watch);
    }
    free(folder);
}

void flk_watch_close(struct watch *watch)
{
    if (watch->fd[0] >= 0 && flk_helper_keep_idle(flk_watch_drop_spare))
        keep_spare(watch);
    close_unguarded(&watch->fd[0]);
    close_unguarded(&watch->fd[1]);
    flk_guard_lock();
    flk_list_remove(&all_open, &watch->link);
    flk_guard_unlock();
}

static void open_process(struct watch *watch, int64_t pid)
{
    int *fd = &watch->fd[1];

    flk_guard_lock();
    flk_close_marked(*fd);
    *fd = pid > 0 ? flk_mark((int) syscall(SYS_pidfd_open, (pid_t) pid, 0u)) : -1;
    flk_guard_unlock();
}

/* True also if the program has closed the descriptor: then the process has to be watched anew. */
static bool has_ended(int process)
{
    struct pollfd fd = { .fd = process, .events = POLLIN };

    return !flk_is_marked(process) || flk_poll(&fd, 1, 0, NULL) != 0;
}

bool flk_watch_process(struct watch *watch, int64_t pid, const char *token)
{
    bool same = pid == watch->kept.pid && strcmp(token, watch->kept.token) == 0, watched = watch->fd[1] >= 0;

    if (same && (!watched || !has_ended(watch->fd[1])))
        return watched;
    watch->kept.pid = pid;
    (void) snprintf(watch->kept.token, sizeof(watch->kept.token), "%s", token);
    open_process(watch, pid);
    return false;
}

/* True if any of the events is about the name.  Sets *gone if the directory may not be there any more. */
static bool name_is_in(const struct events *events, const char *name, bool *gone)
{
    const char *at = events->bytes, *end = at + events->size;
    bool found = false;

    while (at < end) {
        struct inotify_event event;

        memcpy(&event, at, sizeof(event));
        *gone = *gone || event.len == 0;
        found = found || (event.len != 0 && strcmp(at + sizeof(event), name) == 0);
        at += sizeof(event) + event.len;
    }
    return found;
}

/* Reads the events that are there.  True if any of them is, or may be, about the name.  *reads: how many read(2). */
static bool read_about_name(struct watch *watch, int *reads)
{
    struct events events = { .more = true };
    bool found = false, gone = watch->fd[0] >= 0 && !flk_is_marked(watch->fd[0]);

    for (*reads = 0; events.more && watch->fd[0] >= 0 && read_events(watch->fd[0], &events); ++*reads)
        found = name_is_in(&events, watch->name, &gone) || found;
    /* Another directory may take the place of the watched directory. */
    if (gone)
        close_events(watch);
    return found || gone;
}

void flk_watch_renew(struct watch *watch)
{
    int reads;

    (void) read_about_name(watch, &reads);
}

/* Rest this many times as long as the reading took: it costs 1 % of a processor at the most. */
#define REST_FACTOR 100

/* Rest longer each time, from REST_FIRST to REST_LAST, while all events are about other names. */
#define REST_FIRST 50000 /* ns */
#define REST_LAST 8000000
#define REST_LIMIT 50000000 /* rest no longer than this, even after a long reading */

/* Stop watching if more reads than this are needed after a rest of REST_LAST: then naps and looks cost less. */
#define MAX_READS 32

/* Waits without the directory, in which much goes on, for the process and the limits.  Returns as flk_poll_within(). */
static int rest(const struct watch *watch, const struct limits *limits, int64_t until, int64_t ns)
{
    struct pollfd fds[2] = { { .fd = watch->fd[1], .events = POLLIN } };
    int64_t end = flk_now() + (ns < REST_LIMIT ? ns : REST_LIMIT);

    return flk_poll_within(fds, 2, limits, end < until ? end : until);
}

/*
 * Reads the events, and rests if all of them are about other names.
 *   1         the caller has to wait on
 *   0         the caller has to look: the name may be concerned, or `until` is reached, or the watch has stopped
 *   negative  as flk_poll_within() returns it
 */
static int read_and_rest(struct watch *watch, const struct limits *limits, int64_t until, int64_t *pause)
{
    int64_t began = flk_now(), spent;
    int reads, rc;

    if (read_about_name(watch, &reads))
        return 0;
    if (reads > MAX_READS && *pause == REST_LAST) {
        close_events(watch);
        return 0;
    }
    spent = (flk_now() - began) * REST_FACTOR;
    rc = rest(watch, limits, until, spent > *pause ? spent : *pause);
    *pause = *pause < REST_LAST / 2 ? *pause * 2 : REST_LAST;
    if (rc < 0)
        return rc;
    return until == FLK_NEVER || flk_now() < until;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    bool blind = watch->fd[0] < 0 || (watch->kept.pid != 0 && watch->fd[1] < 0);
    int64_t nap = blind ? flk_next_nap(&watch->nap) : FLK_NEVER;
    int64_t until = flk_after(nap < at_most ? nap : at_most), pause = REST_FIRST;

    for (;;) {
        struct pollfd fds[3] = {
            { .fd = watch->fd[0], .events = POLLIN },
            { .fd = watch->fd[1], .events = POLLIN },
        };
        int rc = flk_poll_within(fds, 3, limits, until);

        if (rc <= 0)
            return rc;
        /*
         * The end of a process is told once.  If the look finds no end, as with a process that is hidden, the next
         * waits nap.
         */
        if (fds[1].revents != 0) {
            open_process(watch, 0);
            return 0;
        }
        rc = read_and_rest(watch, limits, until, &pause);
        if (rc <= 0)
            return rc;
    }
}
