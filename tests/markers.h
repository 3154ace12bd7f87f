/* SPDX-License-Identifier: MIT
 *
 * markers.h - what suites of the soft kind use: markers built by hand, as others would write them.
 */
#ifndef MARKERS_H
#define MARKERS_H

#include "peers.h"

#define MARKER_SIZE 2048
#define GRACE_MS 2000 /* what stands unchanged so long is broken, unless it is understood */

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

/* A host's name as it is in a marker. */
void marker_escape(const char *name, char *host);

/* A pid that was a process's and is nobody's now. */
int64_t dead_pid(void);

/* Processes that run: one that began at another time than this one, and one of the system's. */
int64_t other_pid(void);
int64_t system_pid(void);

/* The record of a process of this host: "<pid>\n<host>\n<token>\n". */
const char *marker_record(int64_t pid);

/* Makes a marker; the size is that of the text, or given for what is not a string. */
void put_marker(const char *path, const char *text);
void put_marker_bytes(const char *path, const void *bytes, size_t size);

/*
 * The same with, for %1, %2: the own and a dead pid; %3: the host; %4, %5: the own token, and another
 * process's; %6: the pid of a process of the system.
 */
void fill_marker(const char *format, char *text);

#define LEASE(pid, start, mode, duration)                                                          \
    "filelock/2\npid=" pid "\nhost=%3\nmode=" mode "\ntoken=0a\nduration=" duration "\nstart=" start "\n"

/* The name of a file beside `path` that begins as the path does but is not the marker; NULL: none. */
const char *file_beside(const char *path);

/* That there is none; and that there is no marker either. */
void expect_nothing_beside(const char *path);
void expect_nothing_at(const char *path);

/* That a process that wants the lock gets it, soon, and leaves nothing. */
void expect_usable(const char *path);

/* The result of one acquire, which is released again. */
int try_soft(const char *path, int64_t timeout_ms);

/* A marker of its own for each, and a thread that waits for it. */
struct waiter {
    struct caller caller;
    struct filelock *lock;
    char path[2048];
};

void waiter_on(struct waiter *waiter, const char *name, unsigned flags, int64_t timeout_ms);

/* What it got; the end of the thread releases it. */
int waiter_end(struct waiter *waiter);

/* A marker that must stay although nothing proves its owner alive. */
struct patient {
    const char *name;
    const char *text; /* as put_patient() has it; NULL: it is made by the test in another way */
    unsigned flags;
    int expires_ms; /* 0: it stays */
};

const char *patient_path(const char *name);

/* What is put there, as fill_marker() has it; that forks, which is no good when there are waiters already. */
void put_patient(const char *name, const char *format);

void begin_patient(struct waiter *waiter, const struct patient *patient);
void end_patient(struct waiter *waiter, const struct patient *patient);

/* 1 while valgrind runs the test: it does not bear what some tests do to a process. */
int under_valgrind(void);

#endif
