/* SPDX-License-Identifier: MIT
 *
 * raw_exists.c - the file operations that a lock needs which is the existence of a file
 */
#include <config.h>

#include "subject.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exists {
    const char *path;
    char *other; /* the name of the file that is linked to the path */
};

static void *open_path(const struct subject *subject, const char *path)
{
    struct exists *exists = malloc(sizeof *exists);
    size_t size = strlen(path) + sizeof ".new";
    char *other = malloc(size);

    (void) subject;
    if (!exists || !other) {
        free(exists);
        free(other);
        return NULL;
    }
    snprintf(other, size, "%s.new", path);
    exists->path = path;
    exists->other = other;
    return exists;
}

static int create(const char *path)
{
    static const char record[] = "12345\nhost\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    return fd < 0 || write(fd, record, sizeof record - 1) < 0 || close(fd) != 0 ? -1 : 0;
}

/* Creates the file at the path, which names half a record for a moment. */
static int acquire(void *handle, int64_t timeout_ms)
{
    (void) timeout_ms;
    return create(((struct exists *) handle)->path);
}

/* Creates the file under another name and links it, so that the path never names half a record. */
static int acquire_link(void *handle, int64_t timeout_ms)
{
    struct exists *exists = handle;

    (void) timeout_ms;
    if (create(exists->other) != 0 || link(exists->other, exists->path) != 0)
        return -1;
    return unlink(exists->other);
}

static int release(void *handle)
{
    return unlink(((struct exists *) handle)->path);
}

static void close_path(void *handle)
{
    struct exists *exists = handle;

    free(exists->other);
    free(exists);
}

extern const struct subject subjects_raw_exists[];
const struct subject subjects_raw_exists[] = {
    { "raw O_EXCL", open_path, acquire, release, close_path, NULL, NULL, NULL },
    { "raw link", open_path, acquire_link, release, close_path, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
