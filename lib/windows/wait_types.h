/* SPDX-License-Identifier: MIT
 *
 * The types that wait/ leaves to the platform, on Windows: wake-ups and watches.
 */
#ifndef FLK_WINDOWS_WAIT_TYPES_H
#define FLK_WINDOWS_WAIT_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

struct wakeup {
    HANDLE event; /* NULL: the waiter naps instead */
    int64_t nap;  /* ns; the length of the next nap, which grows */
};

struct waker {
    HANDLE event;
};

/* A call in a thread of its own.  It belongs to the thread that has it made later. */
struct job {
    int (*call)(void *arg);
    void *arg;
    int result;
    LONG done; /* result is set, and the thread ends */
    HANDLE thread;
    HANDLE stop;           /* signalled: the call has to end */
    struct wakeup *wakeup; /* is signalled when the call is done */
};

/* The thread that attends to errands. */
struct attendant {
    HANDLE thread;
};

struct watch {
    int64_t nap;    /* ns; the length of the next nap, which grows */
    HANDLE names;   /* signalled when a name in the directory changes; NULL: the directory is not watched */
    HANDLE process; /* the process that is watched; NULL: none */
    int64_t pid;    /* the process that was asked for */
};

#endif
