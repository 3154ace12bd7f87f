/* SPDX-License-Identifier: MIT
 *
 * What platform.h speaks of, in the terms of Windows.
 */
#ifndef FLK_WINDOWS_PLATFORM_TYPES_H
#define FLK_WINDOWS_PLATFORM_TYPES_H

#include <stdint.h>
#include <windows.h>

struct mutex {
    SRWLOCK native;
};
#define MUTEX_INIT { SRWLOCK_INIT }

typedef DWORD thread_id;

struct identity {
    uint64_t volume;
    uint8_t file[16];
};

struct wakeup {
    HANDLE event; /* NULL: it naps */
    int64_t nap;  /* ns; grows */
};

struct waker {
    HANDLE event;
};

struct watch {
    struct wakeup wakeup; /* naps */
    HANDLE names;         /* signalled when a name in the directory changes; NULL: none */
    HANDLE process;       /* NULL: none */
    int64_t pid;
};

#endif
