/* SPDX-License-Identifier: MIT
 *
 * ours.c - libfilelock: a handle that is reused, a handle that can be cancelled, a new handle for each acquire
 */
#include <config.h>

#include "subject.h"

#include <filelock.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct variant {
    int kind;
    int cancel;
};

/* Returns the reading end of a pipe that is never written to. */
static int never(void)
{
    static int ends[2] = { -1, -1 };

    if (ends[0] < 0 && pipe(ends) != 0)
        return -1;
    return ends[0];
}

static int complain(struct filelock *lock, int error)
{
    char text[1024];

    filelock_describe(lock, error, text, sizeof text);
    fprintf(stderr, "%s\n", text);
    return -1;
}

static struct filelock *new_handle(const struct variant *variant, const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;

    options.kind = variant->kind;
    if (variant->cancel)
        options.cancel = never();
    int error = filelock_new(&lock, path, &options);
    if (error) {
        complain(NULL, error);
        return NULL;
    }
    return lock;
}

/* ---- One handle, kept: the subject's handle is libfilelock's -------------------------------- */

static void *reused_open(const struct subject *subject, const char *path)
{
    return new_handle(subject->variant, path);
}

static int reused_acquire(void *handle, int64_t timeout_ms)
{
    int error = filelock_acquire(handle, FILELOCK_EXCLUSIVE, timeout_ms);

    return error ? complain(handle, error) : 0;
}

static int reused_release(void *handle)
{
    int error = filelock_release(handle);

    return error ? complain(handle, error) : 0;
}

static void reused_close(void *handle)
{
    filelock_free(handle);
}

/* ---- A new handle for each acquire ---------------------------------------------------------- */

struct fresh {
    const struct variant *variant;
    const char *path;
    struct filelock *lock;
};

static void *fresh_open(const struct subject *subject, const char *path)
{
    struct fresh *fresh = malloc(sizeof *fresh);

    if (fresh) {
        fresh->variant = subject->variant;
        fresh->path = path;
        fresh->lock = NULL;
    }
    return fresh;
}

static int fresh_acquire(void *handle, int64_t timeout_ms)
{
    struct fresh *fresh = handle;

    fresh->lock = new_handle(fresh->variant, fresh->path);
    return fresh->lock ? reused_acquire(fresh->lock, timeout_ms) : -1;
}

static int fresh_release(void *handle)
{
    struct fresh *fresh = handle;
    int error = reused_release(fresh->lock);

    filelock_free(fresh->lock);
    fresh->lock = NULL;
    return error;
}

static void fresh_close(void *handle)
{
    struct fresh *fresh = handle;

    filelock_free(fresh->lock);
    free(fresh);
}

/* ---- A handle that is converted after each acquire ------------------------------------------ */

static int converted_acquire(void *handle, int64_t timeout_ms)
{
    int error = filelock_acquire(handle, FILELOCK_EXCLUSIVE, timeout_ms);

    if (!error)
        error = filelock_convert(handle, FILELOCK_SHARED, FILELOCK_TRY);
    if (!error && filelock_kind(handle) == FILELOCK_KIND_OFD)
        error = filelock_convert(handle, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    return error ? complain(handle, error) : 0;
}

/* ---- Two handles, acquired at once ---------------------------------------------------------- */

struct pair {
    struct filelock *locks[2];
    char path[4096]; /* of the second file */
};

static void pair_close(void *handle)
{
    struct pair *pair = handle;

    filelock_free(pair->locks[0]);
    filelock_free(pair->locks[1]);
    unlink(pair->path);
    free(pair);
}

static void *pair_open(const struct subject *subject, const char *path)
{
    struct pair *pair = malloc(sizeof *pair);

    if (!pair)
        return NULL;
    subject_second(path, pair->path, sizeof pair->path);
    pair->locks[0] = new_handle(subject->variant, path);
    pair->locks[1] = new_handle(subject->variant, pair->path);
    if (pair->locks[0] && pair->locks[1])
        return pair;
    pair_close(pair);
    return NULL;
}

static int pair_acquire(void *handle, int64_t timeout_ms)
{
    struct pair *pair = handle;
    int error = filelock_acquire_several(pair->locks, 2, FILELOCK_EXCLUSIVE, timeout_ms);

    return error ? complain(pair->locks[0], error) : 0;
}

static int pair_release(void *handle)
{
    struct pair *pair = handle;
    int error = filelock_release_several(pair->locks, 2);

    return error ? complain(pair->locks[0], error) : 0;
}

/* ---- Subjects ------------------------------------------------------------------------------- */

static int available(const struct subject *subject)
{
    const struct variant *variant = subject->variant;

    return filelock_supported(variant->kind);
}

static const struct variant flock_plain = { FILELOCK_KIND_FLOCK, 0 }, flock_cancel = { FILELOCK_KIND_FLOCK, 1 },
                            ofd_plain = { FILELOCK_KIND_OFD, 0 }, ofd_cancel = { FILELOCK_KIND_OFD, 1 },
                            soft_plain = { FILELOCK_KIND_SOFT, 0 }, soft_cancel = { FILELOCK_KIND_SOFT, 1 };

#define REUSED(name, variant)                                                                     \
    {                                                                                             \
        name, reused_open, reused_acquire, reused_release, reused_close, variant, NULL, available \
    }
#define FRESH(name, variant)                                                                  \
    {                                                                                         \
        name, fresh_open, fresh_acquire, fresh_release, fresh_close, variant, NULL, available \
    }
#define CONVERTED(name, variant)                                                                     \
    {                                                                                                \
        name, reused_open, converted_acquire, reused_release, reused_close, variant, NULL, available \
    }
#define PAIR(name, variant)                                                               \
    {                                                                                     \
        name, pair_open, pair_acquire, pair_release, pair_close, variant, NULL, available \
    }

extern const struct subject subjects_ours[];
const struct subject subjects_ours[] = {
    REUSED("flock", &flock_plain),         REUSED("flock, cancel", &flock_cancel),
    FRESH("flock, new", &flock_plain),     REUSED("ofd", &ofd_plain),
    REUSED("ofd, cancel", &ofd_cancel),    FRESH("ofd, new", &ofd_plain),
    REUSED("soft", &soft_plain),           REUSED("soft, cancel", &soft_cancel),
    FRESH("soft, new", &soft_plain),       CONVERTED("flock, convert", &flock_plain),
    CONVERTED("ofd, convert", &ofd_plain), PAIR("flock, several", &flock_plain),
    PAIR("ofd, several", &ofd_plain),      { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
