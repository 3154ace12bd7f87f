/* SPDX-License-Identifier: MIT
 *
 * The types that wait/ leaves to the platform, on Windows: wake-ups and watches.
 */
#ifndef FLK_WINDOWS_WAIT_TYPES_H
#define FLK_WINDOWS_WAIT_TYPES_H

#include <stdint.h>
#include <windows.h>

struct wakeup {
    HANDLE event; /* NULL: the waiter naps instead */
    int64_t nap;  /* ns; the length of the next nap, which grows */
};

struct waker {
    HANDLE event;
};

struct watch {
    int64_t nap;          /* ns; the length of the next nap, which grows */
    HANDLE names;         /* signalled when a name in the directory changes; NULL: the directory is not watched */
    HANDLE process;       /* the process that is watched; NULL: none */
    int64_t pid;          /* the process that was asked for */
};

#endif
