/* SPDX-License-Identifier: MIT
 *
 * raw.c - the sequences in which libraries make lock calls, for any family of lock calls
 */
#include <config.h>

#include "raw.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw {
    const struct raw_calls *calls;
    const char *path;
    int fd;
    dev_t device;
    ino_t inode;
};

void *raw_open_path(const struct subject *subject, const char *path)
{
    struct raw *raw = malloc(sizeof *raw);

    if (raw) {
        raw->calls = subject->variant;
        raw->path = path;
        raw->fd = -1;
    }
    return raw;
}

static int open_file(struct raw *raw)
{
    raw->fd = open(raw->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0666);
    return raw->fd < 0 ? -1 : 0;
}

void *raw_open(const struct subject *subject, const char *path)
{
    struct raw *raw = raw_open_path(subject, path);
    struct stat status;

    if (raw && (open_file(raw) != 0 || fstat(raw->fd, &status) != 0)) {
        raw_close(raw);
        return NULL;
    }
    if (raw) {
        raw->device = status.st_dev;
        raw->inode = status.st_ino;
    }
    return raw;
}

int raw_acquire(void *handle, int64_t timeout_ms)
{
    struct raw *raw = handle;

    return raw->calls->lock(raw->fd, timeout_ms != 0);
}

static int is_file(const struct raw *raw, const struct stat *status)
{
    return status->st_dev == raw->device && status->st_ino == raw->inode;
}

int raw_acquire_stat(void *handle, int64_t timeout_ms)
{
    struct raw *raw = handle;
    struct stat status;

    if (raw_acquire(raw, timeout_ms) != 0 || stat(raw->path, &status) != 0)
        return -1;
    return is_file(raw, &status) ? 0 : -1;
}

static int look(const struct raw *raw)
{
    struct stat status;

    return fstat(raw->fd, &status) == 0 && is_file(raw, &status);
}

int raw_acquire_look(void *handle, int64_t timeout_ms)
{
    return look(handle) ? raw_acquire_stat(handle, timeout_ms) : -1;
}

int raw_acquire_cycle(void *handle, int64_t timeout_ms)
{
    struct raw *raw = handle;
    struct stat status;

    if (open_file(raw) != 0 || raw_acquire(raw, timeout_ms) != 0 || fstat(raw->fd, &status) != 0)
        return -1;
    return status.st_nlink > 0 ? 0 : -1;
}

int raw_acquire_convert(void *handle, int64_t timeout_ms)
{
    struct raw *raw = handle;

    if (raw_acquire_stat(raw, timeout_ms) != 0 || raw->calls->share(raw->fd) != 0)
        return -1;
    return raw->calls->both_ways ? raw->calls->lock(raw->fd, 0) : 0;
}

int raw_release(void *handle)
{
    struct raw *raw = handle;

    return raw->calls->unlock(raw->fd);
}

int raw_release_look(void *handle)
{
    return look(handle) ? raw_release(handle) : -1;
}

int raw_release_cycle(void *handle)
{
    struct raw *raw = handle;
    int fd = raw->fd, unlocked = raw_release(raw);

    raw->fd = -1;
    return close(fd) != 0 ? -1 : unlocked;
}

void raw_close(void *handle)
{
    struct raw *raw = handle;

    if (raw->fd >= 0)
        close(raw->fd);
    free(raw);
}

/* ---- Two files ------------------------------------------------------------------------------ */

struct raw_pair {
    void *one, *two;
    char path[4096]; /* of the second file */
};

void *raw_open_pair(const struct subject *subject, const char *path)
{
    struct raw_pair *pair = malloc(sizeof *pair);

    if (!pair)
        return NULL;
    subject_second(path, pair->path, sizeof pair->path);
    pair->one = raw_open(subject, path);
    pair->two = raw_open(subject, pair->path);
    if (pair->one && pair->two)
        return pair;
    if (pair->one)
        raw_close(pair->one);
    if (pair->two)
        raw_close(pair->two);
    free(pair);
    return NULL;
}

int raw_acquire_pair(void *handle, int64_t timeout_ms)
{
    const struct raw_pair *pair = handle;

    return raw_acquire_stat(pair->one, timeout_ms) != 0 ? -1 : raw_acquire_stat(pair->two, timeout_ms);
}

int raw_release_pair(void *handle)
{
    const struct raw_pair *pair = handle;

    return raw_release(pair->one) != 0 ? -1 : raw_release(pair->two);
}

void raw_close_pair(void *handle)
{
    struct raw_pair *pair = handle;

    raw_close(pair->one);
    raw_close(pair->two);
    unlink(pair->path);
    free(pair);
}
