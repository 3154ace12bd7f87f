/* SPDX-License-Identifier: MIT
 *
 * Events by kqueue(2), as macOS has it.
 */
#include "config.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/event.h>
#include <time.h>

#include "system/mark.h"
#include "wait/events.h"

/* After these the path may name another file than the one that is watched. */
#define GONE (NOTE_DELETE | NOTE_RENAME | NOTE_REVOKE)

int flk_events_open(void)
{
    int fd = flk_mark(kqueue());

    if (fd >= 0)
        (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

static bool change(int events, uintptr_t ident, short filter, unsigned short flags, unsigned notes)
{
    struct kevent change = { .ident = ident, .filter = filter, .flags = flags, .fflags = notes };

    return flk_is_marked(events) && kevent(events, &change, 1, NULL, 0, NULL) == 0;
}

bool flk_events_of_directory(int events, int fd)
{
    return fd >= 0 && change(events, (uintptr_t) fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE | GONE);
}

bool flk_events_of_lock(int events, int fd)
{
    return fd >= 0 && change(events, (uintptr_t) fd, EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_FUNLOCK | GONE);
}

bool flk_events_of_process(int events, int64_t pid)
{
    return pid > 0 && change(events, (uintptr_t) pid, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT);
}

void flk_events_forget_process(int events, int64_t pid)
{
    (void) change(events, (uintptr_t) pid, EVFILT_PROC, EV_DELETE, 0);
}

struct told flk_events_take(int events)
{
    static const struct timespec at_once;
    struct kevent list[8];
    struct told told = { .file = false };
    int count = 8;

    while (count == 8 && flk_is_marked(events)) {
        count = kevent(events, NULL, 0, list, 8, &at_once);
        for (int i = 0; i < count; i++) {
            bool file = list[i].filter == EVFILT_VNODE;

            told.file = told.file || file;
            told.gone = told.gone || (file && (list[i].fflags & GONE) != 0);
            told.ended = told.ended || list[i].filter == EVFILT_PROC;
        }
    }
    return told;
}
