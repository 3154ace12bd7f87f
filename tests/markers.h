/* SPDX-License-Identifier: MIT
 *
 * markers.h - what suites of the soft kind use: markers built by hand, as other programs would write them.
 */
#ifndef MARKERS_H
#define MARKERS_H

#include "peers.h"

#define MARKER_SIZE 2048
#define GRACE_MS 2000 /* a marker that stays unchanged this long is broken, unless its record is understood */

#define NEEDS_SOFT()                             \
    do {                                         \
        if (!soft_kind())                        \
            SKIP("this build has no kind soft"); \
    } while (0)

/* Returns the soft kind, or NULL where the build lacks it. */
const struct kind *soft_kind(void);
struct filelock *new_soft(const char *path, unsigned flags);

/* Returns the host, or the token, that a process of this host writes in its marker; "" where there is none. */
const char *marker_host(void);
const char *marker_token(int64_t pid);

/* Stores a host's name as it is written in a marker. */
void marker_escape(const char *name, char *host);

/* Returns a pid that belonged to a process, and belongs to none now. */
int64_t dead_pid(void);

/*
 * Return the pid of a process that runs: other_pid() of a process that began at another time than this process,
 * system_pid() of a process of the system.
 */
int64_t other_pid(void);
int64_t system_pid(void);

/* Returns the record of a process of this host: "<pid>\n<host>\n<token>\n". */
const char *marker_record(int64_t pid);

/*
 * True if this host can tell that a file is written to by no other host; true if it sees every process that has a file
 * open.
 */
int tells_local_files(void);

/* Waiters queue up where no other host has the files, and the file system has locks of its own. */
#ifdef NO_SOFT_QUEUE
#define NEEDS_QUEUE() SKIP("there is no queue in this build")
#else
#define NEEDS_QUEUE()                                                  \
    do {                                                               \
        NEEDS_SOFT();                                                  \
        if (!tells_local_files())                                      \
            SKIP("there is no queue on a file system of other hosts"); \
    } while (0)
#endif

/* Linux.  Returns how many waiters have a place in the queue at the marker: each has a byte from 2^32 on locked. */
int places_at(const char *path);
int sees_all_openers(void);

/* Returns the contents of a marker that its owner gave up but could not remove. */
const char *marker_disowned(void);

/* Makes a marker with the given contents; put_marker() takes the size from the string. */
void put_marker(const char *path, const char *text);
void put_marker_bytes(const char *path, const void *bytes, size_t size);

/*
 * Fills in a format: %1 the own pid, %2 a dead pid, %3 the host, %4 the own token, %5 another process's token,
 * %6 the pid of a process of the system.
 */
void fill_marker(const char *format, char *text);

#define LEASE(pid, start, mode, duration) \
    "filelock/2\npid=" pid "\nhost=%3\nmode=" mode "\ntoken=0a\nduration=" duration "\nstart=" start "\n"

/* Returns the name of a file beside the marker that begins with the marker's name; NULL if there is none. */
const char *file_beside(const char *path);

/* Fails the test if there is such a file; expect_nothing_at() also if the marker is there. */
void expect_nothing_beside(const char *path);
void expect_nothing_at(const char *path);

/* Fails the test unless a process that wants the lock soon gets it, and leaves no file behind. */
void expect_usable(const char *path);

/* Returns the result of one acquire.  A lock that it gets is released again. */
int try_soft(const char *path, int64_t timeout_ms);

/* A thread that waits for a marker.  Each waiter has a marker of its own. */
struct waiter {
    struct caller caller;
    struct filelock *lock;
    char path[2048];
};

void waiter_on(struct waiter *waiter, const char *name, unsigned flags, int64_t timeout_ms);

/* Returns the result of the acquire.  The end of the thread releases the lock. */
int waiter_end(struct waiter *waiter);

/* A marker that must stay although nothing proves that its owner lives. */
struct patient {
    const char *name;
    const char *text; /* a format for put_patient(); NULL: the test makes the marker in another way */
    unsigned flags;
    int expires_ms; /* 0: it never expires */
};

const char *patient_path(const char *name);

/* Makes the marker from a format of fill_marker().  That forks, so it must be called before there are waiters. */
void put_patient(const char *name, const char *format);

void begin_patient(struct waiter *waiter, const struct patient *patient);
void end_patient(struct waiter *waiter, const struct patient *patient);

/* True while valgrind runs the test: some tests do to a process what valgrind does not bear. */
int under_valgrind(void);

/*
 * True if thread_count() counts the program's and the library's own threads alone: emulators have more, and lack what
 * watches an owner without a thread.
 */
int counts_threads(void);

#endif
