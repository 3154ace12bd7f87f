/* SPDX-License-Identifier: MIT
 *
 * Waiting for a marker to go: inotify(7) on its directory.  And for its holder to end:
 * pidfd_open(2).  What neither can be had for is looked at again after a nap.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper.h"
#include "platform.h"
#include "posix/file.h"
#include "posix/wakeup_fd.h"
#include "retry.h"

/* The directory itself going is an end as well: the next look says so. */
#define EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* ---- Instances ------------------------------------------------------------------------------ */

/*
 * The kernel takes some 10 ms to close an instance that has just watched.  So it is kept for the next watch, which
 * is quicker besides, until no watch has come for some seconds: a user may have few of them.
 */
static int spare = -1; /* under the guard; it watches nothing, and nothing is left in it to be read */

/* With the guard held no fork comes between; opening never blocks. */
static int open_events(struct watch *watch)
{
    int *fd = &watch->wakeup.fd[0];

    flk_guard_lock();
    *fd = spare >= 0 ? spare : flk_file_above_standard(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    spare = -1;
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

static void drain(int fd)
{
    char bytes[1024];

    while (read(fd, bytes, sizeof(bytes)) > 0)
        ;
}

static void keep_spare(struct watch *watch)
{
    int *fd = &watch->wakeup.fd[0];

    flk_guard_lock();
    if (spare < 0) {
        spare = *fd;
        *fd = -1;
    }
    flk_guard_unlock();
}

static void close_events(struct watch *watch)
{
    if (watch->wakeup.fd[0] < 0)
        return;
    (void) inotify_rm_watch(watch->wakeup.fd[0], watch->directory);
    drain(watch->wakeup.fd[0]);
    if (flk_helper_stay())
        keep_spare(watch);
    close_unguarded(&watch->wakeup.fd[0]);
}

void flk_watches_rest(void)
{
    close_unguarded(&spare);
}

void flk_watches_forked(void)
{
    if (spare >= 0)
        (void) close(spare);
    spare = -1;
}

/* ---- Watching ------------------------------------------------------------------------------- */

static void open_process(struct watch *watch, int64_t pid)
{
    int *fd = &watch->wakeup.fd[1];

    flk_guard_lock();
    if (*fd >= 0)
        (void) close(*fd);
    *fd = pid > 0 ? flk_file_above_standard((int) syscall(SYS_pidfd_open, (pid_t) pid, 0u)) : -1;
    flk_guard_unlock();
}

void flk_watch_open(struct watch *watch, const char *path)
{
    char *folder = flk_file_parent(path);

    flk_wakeup_open_napping(&watch->wakeup);
    watch->name = flk_file_name(path);
    watch->pid = 0;
    /* Others who have a remote file system mounted tell this kernel nothing. */
    if (folder != NULL && !flk_file_path_is_remote(folder) && open_events(watch) >= 0) {
        watch->directory = inotify_add_watch(watch->wakeup.fd[0], folder, EVENTS);
        if (watch->directory < 0)
            close_events(watch);
    }
    free(folder);
}

void flk_watch_close(struct watch *watch)
{
    close_events(watch);
    flk_wakeup_close(&watch->wakeup);
}

bool flk_watch_process(struct watch *watch, int64_t pid)
{
    if (pid == watch->pid)
        return false;
    watch->pid = pid;
    open_process(watch, pid);
    return true;
}

/* Reads what there is; whether any of it is about the name, or may be. */
static bool concerns(struct watch *watch)
{
    union {
        struct inotify_event event;
        char bytes[sizeof(struct inotify_event) + NAME_MAX + 1];
    } buffer;
    bool found = false, gone = false;
    ssize_t n;

    while (watch->wakeup.fd[0] >= 0 && (n = read(watch->wakeup.fd[0], &buffer, sizeof(buffer))) > 0) {
        const char *at = buffer.bytes;

        while (at < buffer.bytes + n) {
            struct inotify_event event;

            memcpy(&event, at, sizeof(event));
            gone = gone || event.len == 0;
            found = found || gone || strcmp(at + sizeof(event), watch->name) == 0;
            at += sizeof(event) + event.len;
        }
    }
    /* Another directory may come in place of the one that was watched. */
    if (gone)
        close_events(watch);
    return found;
}

int flk_watch_wait(struct watch *watch, const struct limits *limits, int64_t at_most)
{
    bool blind = watch->wakeup.fd[0] < 0 || (watch->pid != 0 && watch->wakeup.fd[1] < 0);
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
