/* SPDX-License-Identifier: MIT
 *
 * subject.h - one way to take a lock, behind the operations that every scenario drives it by
 *
 * A file of subjects (the raw system calls, libfilelock, a peer) defines `subjects_NAME`, an array
 * that ends with a null name; configure lists the files that this system can link.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct subject {
    const char *name; /* what the rows of the scenarios call it by */

    /* A handle on the lock at `path`, which outlives it; NULL if there is none to be had. */
    void *(*open)(const struct subject *subject, const char *path);
    /* 0: held.  timeout_ms 0 is to try once, -1 to wait for ever. */
    int (*acquire)(void *handle, int64_t timeout_ms);
    int (*release)(void *handle);
    void (*close)(void *handle);

    /* What tells the subjects of one file apart; nobody else looks at it. */
    const void *variant;
    /* Instead of the four above: turns this process into a worker (worker.h) of another program. */
    void (*serve)(const struct subject *subject, const char *path);
    /* Whether it can be used here, where that shows only at run time; may be null. */
    int (*available)(const struct subject *subject);
};

/* The subject of that name, or NULL where this system has none. */
const struct subject *subject_find(const char *name);

#ifdef __cplusplus
}
#endif

#endif
