/* SPDX-License-Identifier: MIT
 *
 * peer_apr.c - apr_file_lock() of the Apache Portable Runtime, which waits for ever or not at all
 */
#include <config.h>

#include "subject.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <stdlib.h>

struct file {
    apr_pool_t *pool;
    apr_file_t *file;
};

static void *open_file(const struct subject *subject, const char *path)
{
    const apr_int32_t flags = APR_FOPEN_READ | APR_FOPEN_WRITE | APR_FOPEN_CREATE;
    static int initialized;

    (void) subject;
    if (!initialized && apr_initialize() != APR_SUCCESS)
        return NULL;
    initialized = 1;
    struct file *file = calloc(1, sizeof *file);
    if (file && apr_pool_create(&file->pool, NULL) == APR_SUCCESS) {
        if (apr_file_open(&file->file, path, flags, APR_FPROT_OS_DEFAULT, file->pool) == APR_SUCCESS)
            return file;
        apr_pool_destroy(file->pool);
    }
    free(file);
    return NULL;
}

static int acquire(void *handle, int64_t timeout_ms)
{
    struct file *file = handle;
    int type = APR_FLOCK_EXCLUSIVE | (timeout_ms == 0 ? APR_FLOCK_NONBLOCK : 0);

    return apr_file_lock(file->file, type) == APR_SUCCESS ? 0 : -1;
}

static int release(void *handle)
{
    struct file *file = handle;

    return apr_file_unlock(file->file) == APR_SUCCESS ? 0 : -1;
}

static void close_file(void *handle)
{
    struct file *file = handle;

    apr_pool_destroy(file->pool);
    free(file);
}

extern const struct subject subjects_peer_apr[];
const struct subject subjects_peer_apr[] = {
    { "APR", open_file, acquire, release, close_file, NULL, NULL, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
