/* SPDX-License-Identifier: MIT
 *
 * markers.h - what suites of the soft kind use: markers built by hand, as others would write them.
 */
#ifndef MARKERS_H
#define MARKERS_H

#include "posix.h"

#define MARKER_SIZE 2048

#define NEEDS_SOFT()                                                                               \
    do {                                                                                           \
        if (!soft_kind())                                                                          \
            SKIP("this build has no kind soft");                                                   \
    } while (0)

/* NULL where the build lacks it. */
const struct kind *soft_kind(void);
struct filelock *new_soft(const char *path, unsigned flags);

/* What a process of this host writes as its host, and as its token; "" where there are none. */
const char *marker_host(void);
const char *marker_token(int64_t pid);

/* A pid that was a process's and is nobody's now. */
int64_t dead_pid(void);

/* The record of a process of this host: "<pid>\n<host>\n<token>\n". */
const char *marker_record(int64_t pid);

/* Makes a marker; the size is that of the text, or given for what is not a string. */
void put_marker(const char *path, const char *text);
void put_marker_bytes(const char *path, const void *bytes, size_t size);

/* The name of a file beside `path` that begins as the path does but is not the marker; NULL: none. */
const char *file_beside(const char *path);

/* That there is none; and that there is no marker either. */
void expect_nothing_beside(const char *path);
void expect_nothing_at(const char *path);

/* That a process that wants the lock gets it, soon, and leaves nothing. */
void expect_usable(const char *path);

/* The result of one acquire, which is released again. */
int try_soft(const char *path, int64_t timeout_ms);

/* 1 while valgrind runs the test: it does not bear what some tests do to a process. */
int under_valgrind(void);

#endif
