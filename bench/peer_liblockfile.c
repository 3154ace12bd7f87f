/* SPDX-License-Identifier: MIT
 *
 * peer_liblockfile.c - lockfile_create() of liblockfile, which locks by the existence of a file
 *
 * It takes a number of retries, not a timeout.  It sleeps for 5 s before the first retry, for 10 s before the second,
 * and so on: 5 s more each time.
 */
#include <config.h>

#include "subject.h"

#include <lockfile.h>
#include <stddef.h>

/* PAUSE_MS: how much longer liblockfile sleeps before each retry.  RETRIES_MOST: stands for waiting for ever. */
enum { PAUSE_MS = 5000, RETRIES_MOST = 1000 };

/* Returns how many retries begin within the timeout. */
static int retries(int64_t timeout_ms)
{
    int count = 0;

    if (timeout_ms < 0)
        return RETRIES_MOST;
    for (int64_t pause = PAUSE_MS; count < RETRIES_MOST && pause <= timeout_ms; pause += PAUSE_MS) {
        timeout_ms -= pause;
        count++;
    }
    return count;
}

static void *open_path(const struct subject *subject, const char *path)
{
    (void) subject;
    return (void *) path;
}

/* The marker holds the pid (L_PID), so that liblockfile removes a marker whose process has ended. */
static int acquire(void *handle, int64_t timeout_ms)
{
    return lockfile_create(handle, retries(timeout_ms), L_PID) == L_SUCCESS ? 0 : -1;
}

static int release(void *handle)
{
    return lockfile_remove(handle);
}

static void close_path(void *handle)
{
    (void) handle;
}

extern const struct subject subjects_peer_liblockfile[];
const struct subject subjects_peer_liblockfile[] = {
    { "liblockfile", open_path, acquire, release, close_path, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
