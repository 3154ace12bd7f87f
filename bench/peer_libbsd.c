/* SPDX-License-Identifier: MIT
 *
 * peer_libbsd.c - flopen() of libbsd, which waits for ever or not at all
 */
#include <config.h>

#include "subject.h"

#include <bsd/libutil.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct file {
    const char *path;
    int fd;
};

static void *open_path(const struct subject *subject, const char *path)
{
    struct file *file = malloc(sizeof *file);

    (void) subject;
    if (file) {
        file->path = path;
        file->fd = -1;
    }
    return file;
}

static int acquire(void *handle, int64_t timeout_ms)
{
    struct file *file = handle;

    file->fd = flopen(file->path, O_RDWR | O_CREAT | O_CLOEXEC | (timeout_ms == 0 ? O_NONBLOCK : 0), 0666);
    return file->fd < 0 ? -1 : 0;
}

static int release(void *handle)
{
    struct file *file = handle;
    int fd = file->fd;

    file->fd = -1;
    return close(fd);
}

static void close_path(void *handle)
{
    struct file *file = handle;

    if (file->fd >= 0)
        close(file->fd);
    free(file);
}

extern const struct subject subjects_peer_libbsd[];
const struct subject subjects_peer_libbsd[] = {
    { "libbsd", open_path, acquire, release, close_path, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
