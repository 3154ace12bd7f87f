/* SPDX-License-Identifier: MIT
 *
 * The types that system/ leaves to the platform, on Windows.
 */
#ifndef FLK_WINDOWS_SYSTEM_TYPES_H
#define FLK_WINDOWS_SYSTEM_TYPES_H

#include <stdint.h>
#include <windows.h>

struct mutex {
    SRWLOCK native;
};
/* clang-format off */
#define MUTEX_INIT { SRWLOCK_INIT }
/* clang-format on */

typedef DWORD thread_id;

struct signals {
    char none;
};

struct identity {
    uint64_t volume;
    uint8_t file[16];
};

#endif
