/* SPDX-License-Identifier: MIT
 *
 * raw.h - the floors: the system calls alone, in the sequences in which libraries make them
 */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H

#include "subject.h"

/* One family of lock calls on an open descriptor.  Each returns 0 or -1. */
struct raw_calls {
    int (*lock)(int fd, int wait);
    int (*unlock)(int fd);
    int (*share)(int fd); /* makes the lock shared */
    int both_ways;        /* a shared lock becomes exclusive in place, too */
};

#define RAW_ROW(name, open, acquire, release, calls)         \
    {                                                        \
        name, open, acquire, release, raw_close, calls, 0, 0 \
    }

/* lock, unlock */
#define RAW_BARE(name, calls) RAW_ROW(name, raw_open, raw_acquire, raw_release, calls)
/* lock, stat of the path, unlock */
#define RAW_STAT(name, calls) RAW_ROW(name, raw_open, raw_acquire_stat, raw_release, calls)
/* fstat, lock, stat of the path; fstat, unlock */
#define RAW_LOOK(name, calls) RAW_ROW(name, raw_open, raw_acquire_look, raw_release_look, calls)
/* open, lock, fstat, unlock, close */
#define RAW_CYCLE(name, calls) RAW_ROW(name, raw_open_path, raw_acquire_cycle, raw_release_cycle, calls)
/* the first acquire of a handle that stays open: open, lock, fstat; unlock */
#define RAW_FIRST(name, calls) RAW_ROW(name, raw_open_path, raw_acquire_cycle, raw_release, calls)
/* lock, stat of the path, make it shared, and exclusive again where that is possible; unlock */
#define RAW_CONVERT(name, calls) RAW_ROW(name, raw_open, raw_acquire_convert, raw_release, calls)
/* two files: lock and stat each; unlock each */
#define RAW_PAIR(name, calls)                                                                      \
    {                                                                                              \
        name, raw_open_pair, raw_acquire_pair, raw_release_pair, raw_close_pair, calls, NULL, NULL \
    }

void *raw_open(const struct subject *subject, const char *path);
void *raw_open_path(const struct subject *subject, const char *path);
int raw_acquire(void *handle, int64_t timeout_ms);
int raw_acquire_stat(void *handle, int64_t timeout_ms);
int raw_acquire_look(void *handle, int64_t timeout_ms);
int raw_acquire_cycle(void *handle, int64_t timeout_ms);
int raw_acquire_convert(void *handle, int64_t timeout_ms);
int raw_release(void *handle);
int raw_release_look(void *handle);
int raw_release_cycle(void *handle);
void raw_close(void *handle);

void *raw_open_pair(const struct subject *subject, const char *path);
int raw_acquire_pair(void *handle, int64_t timeout_ms);
int raw_release_pair(void *handle);
void raw_close_pair(void *handle);

#endif
