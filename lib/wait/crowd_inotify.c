/* SPDX-License-Identifier: MIT
 *
 * A crowd that shares an instance of inotify(7), with a watch for each directory, and a pidfd_open(2) for each process.
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
#include "wait/crowd.h"
#include "wait/crowd_poll.h"
#include "wait/limits.h"
#include "wait/nap.h"

/* The look also finds that the directory itself has gone. */
#define EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

#define MAX_EVENT ((ssize_t) sizeof(struct inotify_event) + NAME_MAX + 1)

/* Rest longer each time, from REST_FIRST to REST_LAST, while all events are about other names. */
#define REST_FIRST 50000 /* ns */
#define REST_LAST 8000000

/* Read no more often than this before the places that were told look.  What is left is read after that. */
#define MAX_READS 32

/* A process that is watched, for all places that wait for its end. */
struct crowd_process {
    struct link link;
    int64_t pid;
    char token[64];
    unsigned places;
    int fd; /* -1: it has ended, or could not be watched */
};

static struct list places;
static struct list processes;
static int events = -1; /* set under the guard */
static int64_t rest = REST_FIRST;
static int64_t rest_until;

/* ---- Directories ---------------------------------------------------------------------------- */

/* Forgets the instance if the program has closed it.  The places then nap. */
static void check_events(void)
{
    if (events < 0 || flk_is_marked(events))
        return;
    flk_guard_lock();
    events = -1;
    flk_guard_unlock();
    for (struct link *link = places.first; link != NULL; link = link->next) {
        struct place *place = LINK_OWNER(link, struct place, link);

        place->told = place->told || place->directory >= 0;
        place->directory = -1;
    }
}

/* Takes the guard, so that no fork comes between.  Opening an instance never blocks. */
static bool open_events(void)
{
    check_events();
    flk_guard_lock();
    if (events < 0)
        events = flk_mark(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    flk_guard_unlock();
    return events >= 0;
}

/* True if a place has this directory. */
static bool is_watched(int directory)
{
    for (struct link *link = places.first; link != NULL; link = link->next)
        if (LINK_OWNER(link, struct place, link)->directory == directory)
            return true;
    return false;
}

static void stop_watching(int directory)
{
    if (directory >= 0 && !is_watched(directory) && flk_is_marked(events))
        (void) inotify_rm_watch(events, directory);
}

void flk_crowd_join(struct place *place, const char *path)
{
    char *folder = flk_file_parent(path);

    *place = (struct place) { .name = flk_file_name(path), .directory = -1, .nap = FLK_FIRST_NAP };
    /* Other hosts do not tell this kernel what they do in a remote file system. */
    if (folder != NULL && !flk_file_path_is_remote(folder) && open_events())
        place->directory = inotify_add_watch(events, folder, EVENTS);
    free(folder);
    flk_list_add(&places, &place->link);
}

/* ---- Processes ------------------------------------------------------------------------------ */

static void close_process(struct crowd_process *process)
{
    flk_guard_lock();
    flk_close_marked(process->fd);
    process->fd = -1;
    flk_guard_unlock();
}

static void leave_process(struct place *place)
{
    struct crowd_process *process = place->process;

    place->process = NULL;
    if (process == NULL || --process->places > 0)
        return;
    close_process(process);
    flk_guard_lock();
    flk_list_remove(&processes, &process->link);
    flk_guard_unlock();
    free(process);
}

/* Returns the process that is watched already, or NULL. */
static struct crowd_process *find_process(int64_t pid, const char *token)
{
    for (struct link *link = processes.first; link != NULL; link = link->next) {
        struct crowd_process *process = LINK_OWNER(link, struct crowd_process, link);

        if (process->pid == pid && process->fd >= 0 && strcmp(process->token, token) == 0)
            return process;
    }
    return NULL;
}

static struct crowd_process *watch_process(int64_t pid, const char *token)
{
    struct crowd_process *process = calloc(1, sizeof(*process));

    if (process == NULL)
        return NULL;
    process->pid = pid;
    (void) snprintf(process->token, sizeof(process->token), "%s", token);
    flk_guard_lock();
    process->fd = flk_mark((int) syscall(SYS_pidfd_open, (pid_t) pid, 0u));
    flk_list_add(&processes, &process->link);
    flk_guard_unlock();
    return process;
}

/* True also if the program has closed the descriptor: then the process has to be watched anew. */
static bool has_ended(const struct crowd_process *process)
{
    struct pollfd fd = { .fd = process->fd, .events = POLLIN };

    return !flk_is_marked(process->fd) || poll(&fd, 1, 0) != 0;
}

bool flk_crowd_process(struct place *place, int64_t pid, const char *token)
{
    struct crowd_process *process = place->process;
    bool same = pid == place->pid && process != NULL && strcmp(process->token, token) == 0;

    /* A process that has ended, or that could not be watched, is not watched again: the place naps. */
    if (same && (process->fd < 0 || !has_ended(process)))
        return process->fd >= 0;
    leave_process(place);
    place->pid = pid;
    if (pid <= 0)
        return false;
    process = find_process(pid, token);
    if (process == NULL)
        process = watch_process(pid, token);
    if (process != NULL)
        process->places++;
    place->process = process;
    return false;
}

void flk_crowd_leave(struct place *place)
{
    flk_list_remove(&places, &place->link);
    leave_process(place);
    stop_watching(place->directory);
}

bool flk_crowd_doubts(const struct place *place)
{
    return place->pid > 0 && (place->process == NULL || place->process->fd < 0);
}

int64_t flk_crowd_patience(struct place *place)
{
    return place->directory < 0 || flk_crowd_doubts(place) ? flk_next_nap(&place->nap) : FLK_NEVER;
}

/* ---- What the system tells ------------------------------------------------------------------ */

static size_t count_processes(void)
{
    size_t count = 0;

    for (struct link *link = processes.first; link != NULL; link = link->next)
        count++;
    return count;
}

size_t flk_crowd_count(void)
{
    return 1 + count_processes();
}

/* The events are left out during a rest: then all of them have been about other names. */
size_t flk_crowd_fill(struct pollfd *fds, int64_t *until)
{
    bool rests;
    size_t count = 1;

    check_events();
    rests = events >= 0 && flk_now() < rest_until;
    fds[0] = (struct pollfd) { .fd = rests ? -1 : events, .events = POLLIN };
    if (rests && rest_until < *until)
        *until = rest_until;
    for (struct link *link = processes.first; link != NULL; link = link->next)
        fds[count++] = (struct pollfd) { .fd = LINK_OWNER(link, struct crowd_process, link)->fd, .events = POLLIN };
    return count;
}

/* Tells the places that an event is about.  True if there is one. */
static bool tell(const struct inotify_event *event, const char *name)
{
    bool gone = event->len == 0, found = false; /* the directory may not be there any more, or events were lost */

    for (struct link *link = places.first; link != NULL; link = link->next) {
        struct place *place = LINK_OWNER(link, struct place, link);

        if (place->directory < 0 || (event->wd >= 0 && place->directory != event->wd))
            continue;
        if (!gone && strcmp(place->name, name) != 0)
            continue;
        place->told = found = true;
        if (gone && event->wd >= 0)
            place->directory = -1; /* another directory may take its place */
    }
    if (gone && found)
        stop_watching(event->wd);
    return found;
}

/* Reads events once.  True if there may be more.  *found: set if any of them is about a place. */
static bool read_events(bool *found)
{
    char bytes[4 * MAX_EVENT];
    ssize_t size = flk_is_marked(events) ? read(events, bytes, sizeof(bytes)) : -1;

    for (ssize_t at = 0; at < size;) {
        struct inotify_event event;

        memcpy(&event, bytes + at, sizeof(event));
        *found = tell(&event, bytes + at + sizeof(event)) || *found;
        at += (ssize_t) (sizeof(event) + event.len);
    }
    return size + MAX_EVENT > (ssize_t) sizeof(bytes);
}

static void read_directories(void)
{
    bool found = false;
    int reads = 0;

    while (reads++ < MAX_READS && read_events(&found))
        ;
    rest_until = found ? 0 : flk_now() + rest;
    rest = found ? REST_FIRST : rest < REST_LAST / 2 ? rest * 2 : REST_LAST;
}

static void tell_end(const struct crowd_process *process)
{
    for (struct link *link = places.first; link != NULL; link = link->next) {
        struct place *place = LINK_OWNER(link, struct place, link);

        place->told = place->told || place->process == process;
    }
}

/* The end of a process is told once. */
void flk_crowd_read(const struct pollfd *fds, size_t count)
{
    size_t i = 1;

    for (struct link *link = processes.first; link != NULL && i < count; link = link->next, i++) {
        struct crowd_process *process = LINK_OWNER(link, struct crowd_process, link);

        if (fds[i].revents == 0)
            continue;
        tell_end(process);
        close_process(process);
    }
    if (count > 0 && fds[0].revents != 0)
        read_directories();
}

/* ---- The end, and fork ---------------------------------------------------------------------- */

void flk_crowd_end(void)
{
    int taken;

    flk_guard_lock();
    taken = events;
    events = -1;
    flk_guard_unlock();
    flk_close_marked(taken);
    rest = REST_FIRST;
    rest_until = 0;
}

/* Leaves the memory of the processes as it is: a child may not free it. */
static void child_forked(bool prepared)
{
    (void) prepared;
    flk_close_marked(events);
    events = -1;
    for (struct link *link = processes.first; link != NULL; link = link->next) {
        struct crowd_process *process = LINK_OWNER(link, struct crowd_process, link);

        flk_close_marked(process->fd);
        process->fd = -1;
    }
    places.first = NULL;
    rest_until = 0;
}

const struct subscriber flk_crowd_subscriber = { .child_forked = child_forked };
