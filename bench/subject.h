/* SPDX-License-Identifier: MIT
 *
 * subject.h - a subject is one way to take a lock, with the operations by which every scenario uses it
 *
 * A file of subjects (the raw system calls, libfilelock, a peer) defines `subjects_NAME`, an array that ends with a
 * null name.  configure lists the files that this system can link.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct subject {
    const char *name; /* the rows of the scenarios use this name */

    /* Returns a handle on the lock at `path`, or NULL.  The string lives longer than the handle. */
    void *(*open)(const struct subject *subject, const char *path);
    /* Returns 0: the lock is held; else it is not.  timeout_ms 0: try once; -1: wait for ever. */
    int (*acquire)(void *handle, int64_t timeout_ms);
    int (*release)(void *handle);
    void (*close)(void *handle);

    /* Tells the subjects of one file apart; only that file looks at it. */
    const void *variant;
    /* If not null, replaces the four above: turns this process into a worker (worker.h) of another program. */
    void (*serve)(const struct subject *subject, const char *path);
    /* True if the subject can be used here.  Null: that is known when the program is built. */
    int (*available)(const struct subject *subject);
};

/* Writes the path of the second file of a subject that locks two.  The subject removes that file when it is closed. */
void subject_second(const char *path, char *second, size_t size);

/* Returns the subject of that name, or NULL: this system has none. */
const struct subject *subject_find(const char *name);

#ifdef __cplusplus
}
#endif

#endif
