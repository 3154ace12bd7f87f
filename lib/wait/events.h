/* SPDX-License-Identifier: MIT
 *
 * Events of files and processes, by a kernel queue (kqueue(2)).  A queue is a descriptor that can be polled.
 */
#ifndef FLK_EVENTS_H
#define FLK_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

/* What was told since the last look. */
struct told {
    bool file;  /* an event of a file or directory */
    bool gone;  /* such an event, after which the path may name another file */
    bool ended; /* the process has ended */
};

/* Opens a marked queue (system/mark.h).  Caller holds the guard.  Returns the descriptor, or -1. */
int flk_events_open(void);

/* Asks for events of an open directory: changes of its entries, and its own removal.  False: they cannot be had. */
bool flk_events_of_directory(int events, int fd);

/* Asks for an event when an open file is unlocked by flock(2) or a close, removed or renamed.  False: as above. */
bool flk_events_of_lock(int events, int fd);

/* Asks for the event of a process's end, which is told once.  False: there is no such process, or it cannot be had. */
bool flk_events_of_process(int events, int64_t pid);

/* Asks no longer for the end of this process. */
void flk_events_forget_process(int events, int64_t pid);

/* Takes the events that are there.  Returns nothing for a descriptor that is not the library's queue. */
struct told flk_events_take(int events);

#endif
