/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go: inotify(7) on its directory.  And for its holder to end:
 * pidfd_open(2).  What neither can be had for is looked at again after a nap.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.h"
#include "posix/file.h"
#include "posix/helper.h"
#include "posix/wakeup_fd.h"
#include "retry.h"

/* The directory itself going is an end as well: the next look says so. */
#define EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

#define EVENT_MOST ((ssize_t) sizeof(struct inotify_event) + NAME_MAX + 1)

/* ---- Instances ------------------------------------------------------------------------------ */

/*
 * The kernel takes some 10 ms to close an instance that has just watched, and whoever waits for a lock often waits
 * for it again, and for the same process.  So what a watch had is kept for the next one, until none has come for some
 * seconds: a user may have few instances.
 */
static const struct kept nothing = { .events = -1, .directory = -1, .process = -1 };
static struct kept spare = { .events = -1, .directory = -1, .process = -1 }; /* under the guard */

/* With the guard held no fork comes between; opening never blocks. */
static int open_events(struct watch *watch)
{
    int *fd = &watch->wakeup.fd[0];

    flk_guard_lock();
    watch->kept = spare;
    spare = nothing;
    *fd = watch->kept.events;
    watch->wakeup.fd[1] = watch->kept.process;
    if (watch->kept.process < 0)
        watch->kept.pid = 0; /* what could not be watched is tried again */
    if (*fd < 0)
        *fd = flk_file_above_standard(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    flk_guard_unlock();
    return *fd;
}

/* A child that is forked at this moment has a copy, which keeps nothing alive, until it executes. */
static void close_unguarded(int *fd)
{
    int taken;

    flk_guard_lock();
    taken = *fd;
    *fd = -1;
    flk_guard_unlock();
    if (taken >= 0)
        (void) close(taken);
}

/* One read(2) of what is there.  *more: it may not have been all, for want of room. */
struct events {
    char bytes[4 * EVENT_MOST];
    ssize_t size;
    bool more;
};

static bool read_events(int fd, struct events *events)
{
    events->size = read(fd, events->bytes, sizeof(events->bytes));
    events->more = events->size + EVENT_MOST > (ssize_t) sizeof(events->bytes);
    return events->size > 0;
}

static void drain(int fd)
{
    struct events events;

    while (read_events(fd, &events) && events.more)
        ;
}

/* Takes the descriptors away from the watch, if there is room for them. */
static void keep_spare(struct watch *watch)
{
    int *fd = watch->wakeup.fd;

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
    close_unguarded(&watch->wakeup.fd[0]);
}

void flk_watches_rest(void)
{
    struct kept taken;

    flk_guard_lock();
    taken = spare;
    spare = nothing;
    flk_guard_unlock();
    if (taken.events >= 0)
        (void) close(taken.events);
    if (taken.process >= 0)
        (void) close(taken.process);
}

void flk_watches_forked(void)
{
    if (spare.events >= 0)
        (void) close(spare.events);
    if (spare.process >= 0)
        (void) close(spare.process);
    spare = nothing;
}

/* ---- Watching ------------------------------------------------------------------------------- */

/* One directory at a time: mostly it is the one from before. */
static bool watch_directory(struct watch *watch, const char *folder)
{
    int fd = watch->wakeup.fd[0], before = watch->kept.directory;

    watch->kept.directory = inotify_add_watch(fd, folder, EVENTS);
    if (before >= 0 && before != watch->kept.directory)
        (void) inotify_rm_watch(fd, before);
    return watch->kept.directory >= 0;
}

void flk_watch_open(struct watch *watch, const char *path)
{
    char *folder = flk_file_parent(path);

    flk_wakeup_open_napping(&watch->wakeup);
    watch->name = flk_file_name(path);
    watch->kept = nothing;
    /* Others who have a remote file system mounted tell this kernel nothing. */
    if (folder != NULL && !flk_file_path_is_remote(folder) && open_events(watch) >= 0) {
        if (watch_directory(watch, folder))
            drain(watch->wakeup.fd[0]); /* of what is there from before, nothing is news */
        else
            close_events(watch);
    }
    free(folder);
}

void flk_watch_close(struct watch *watch)
{
    if (watch->wakeup.fd[0] >= 0 && flk_helper_stay())
        keep_spare(watch);
    close_unguarded(&watch->wakeup.fd[0]);
    flk_wakeup_close(&watch->wakeup);
}

static void open_process(struct watch *watch, int64_t pid)
{
    int *fd = &watch->wakeup.fd[1];

    flk_guard_lock();
    if (*fd >= 0)
        (void) close(*fd);
    *fd = pid > 0 ? flk_file_above_standard((int) syscall(SYS_pidfd_open, (pid_t) pid, 0u)) : -1;
    flk_guard_unlock();
}

static bool has_ended(int process)
{
    struct pollfd fd = { .fd = process, .events = POLLIN };

    return flk_poll(&fd, 1, 0) != 0;
}

bool flk_watch_process(struct watch *watch, int64_t pid, const char *token)
{
    bool same = pid == watch->kept.pid && strcmp(token, watch->kept.token) == 0, watched = watch->wakeup.fd[1] >= 0;

    if (same && (!watched || !has_ended(watch->wakeup.fd[1])))
        return watched;
    watch->kept.pid = pid;
    (void) snprintf(watch->kept.token, sizeof(watch->kept.token), "%s", token);
    open_process(watch, pid);
    return false;
}

/* Whether any of it is about the name.  *gone: the directory may not be there any more. */
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

/* Reads what there is; whether any of it is about the name, or may be. */
static bool concerns(struct watch *watch)
{
    struct events events = { .more = true };
    bool found = false, gone = false;

    while (events.more && watch->wakeup.fd[0] >= 0 && read_events(watch->wakeup.fd[0], &events))
        found = name_is_in(&events, watch->name, &gone) || found;
    /* Another directory may come in place of the one that was watched. */
    if (gone)
        close_events(watch);
    return found || gone;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    bool blind = watch->wakeup.fd[0] < 0 || (watch->kept.pid != 0 && watch->wakeup.fd[1] < 0);
    int64_t nap = blind ? flk_next_nap(&watch->wakeup) : FLK_NEVER;
    int64_t until = flk_after(nap < at_most ? nap : at_most);

    for (;;) {
        struct pollfd fds[3] = {
            { .fd = watch->wakeup.fd[0], .events = POLLIN },
            { .fd = watch->wakeup.fd[1], .events = POLLIN },
        };
        int rc = flk_poll_within(fds, 3, limits, until);

        if (rc <= 0)
            return rc;
        /* An end is told once; one that proves nothing, as of a process that is hidden, is napped on. */
        if (fds[1].revents != 0)
            open_process(watch, 0);
        if (fds[1].revents != 0 || concerns(watch))
            return 0;
    }
}
