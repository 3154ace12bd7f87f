/* SPDX-License-Identifier: MIT
 *
 * peer_liblockfile.c - lockfile_create() of liblockfile, a lock by a file's existence
 *
 * It counts attempts, not time, and sleeps 5 s before the second, 5 s more before each of the next.
 */
#include <config.h>

#include "subject.h"

#include <lockfile.h>
#include <stddef.h>

enum { PAUSE_MS = 5000, RETRIES_MOST = 1000 };

/* Those that begin within the time. */
static int retries(int64_t timeout_ms) {
    int count = 0;

    if (timeout_ms < 0)
        return RETRIES_MOST;
    for (int64_t pause = PAUSE_MS; count < RETRIES_MOST && pause <= timeout_ms; pause += PAUSE_MS) {
        timeout_ms -= pause;
        count++;
    }
    return count;
}

static void *open_path(const struct subject *subject, const char *path) {
    (void)subject;
    return (void *)path;
}

/* With the pid in it a marker that was left behind is removed when its process is gone. */
static int acquire(void *handle, int64_t timeout_ms) {
    return lockfile_create(handle, retries(timeout_ms), L_PID) == L_SUCCESS ? 0 : -1;
}

static int release(void *handle) {
    return lockfile_remove(handle);
}

static void close_path(void *handle) {
    (void)handle;
}

extern const struct subject subjects_peer_liblockfile[];
const struct subject subjects_peer_liblockfile[] = {
    { "liblockfile", open_path, acquire, release, close_path, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
