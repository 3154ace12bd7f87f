/* SPDX-License-Identifier: MIT
 *
 * subject.h - a process that is experimented on.  The test is told of each of its system calls.
 * The test lets the call be done, makes it fail, or kills the process there.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "syscalls_linux.h"

#include <sys/syscall.h>
#include <sys/types.h>

#ifndef SYS_newfstatat
#define SYS_newfstatat SYS_fstatat64
#endif

/* What happens at a call. */
#define KILL (-1)
#define PAUSE (-2)
#define HOLD (-3)
struct fault {
    int at;     /* the number of the call since subject_go(); -1: none */
    int choice; /* the call fails with this error of error_of(); KILL; PAUSE: it is done, but after subject.doom; or
                   HOLD: it is done when the other threads have made no call for a while */
};

extern const struct fault no_fault;

/* Stands for fcntl(2) that locks. */
#define FCNTL_LOCK 100000

/*
 * Stands for close(2) of a negative descriptor.  By it test_faults.c has a close fail although its descriptor is gone.
 */
#define FAILING_CLOSE 100001

/* Stands for fcntl(2) with F_GETSIG. */
#define FCNTL_LOOK 100002

/*
 * Bounds the calls of an operation.  No operation makes as many, even on a system with many processes, unless it never
 * ends.
 */
#define CALLS_MOST 1000000

struct subject {
    pid_t pid;
    int tracer;
    void (*doom)(void); /* called at KILL, PAUSE or HOLD, before the call; NULL: nothing */
    int talking;        /* the process is in subject_ready(), and waits for the answer */
    struct trace_call word;
    int holding; /* a call has been held for as many milliseconds without another, plus 1; 0: none is held */
    struct trace_call held;
    int calls;      /* since subject_go() */
    int hit;        /* the number of the system call that the fault hit; -1: none */
    int error;      /* the error that this call failed with */
    char what[160]; /* describes the fault, for messages */
};

/* Skips the test where a run-time makes system calls besides the library's.  For tests that use markers.h. */
#define NEEDS_TRACES()                                          \
    do {                                                        \
        if (UNDER_TSAN || under_valgrind())                     \
            SKIP("its run-time makes system calls of its own"); \
    } while (0)

/*
 * Returns the call to stop at after this call: `stride` later, and more than that after the first 128 calls.
 * A search for the holder of a lock makes the same few calls for each process of the system, and there may be
 * thousands.
 */
int subject_next_call(int call, int stride);

/* Starts a process that does body(arg) and ends.  Returns 0, or -1 where calls cannot be traced. */
int subject_start(struct subject *subject, void (*body)(void *arg), void *arg);

/* Called in the body: waits for the next subject_go(). */
void subject_ready(void);

/*
 * Lets the process go on, with this fault, until it is ready again (1) or has ended (0).
 * Calls `blocked` once, when the process is about to wait for something or has done nothing for a while; NULL: nothing.
 */
int subject_go(struct subject *subject, const struct fault *fault, void (*blocked)(void));

/* Kills the process as kill -9 does; it is gone when this returns. */
void subject_kill(struct subject *subject);

/* Return how many the process has, as seen from outside. */
int subject_descriptors(const struct subject *subject);
int subject_threads(const struct subject *subject);

/*
 * Tells whether a program that the process executes inherits the file that the process has open there:
 * - 1: it does
 * - 0: it does not
 * - -1: the process has no such file open
 */
int subject_keeps(const struct subject *subject, const char *path);

/*
 * Return how many errors a system call may fail with, and each of them.  They are those documented errors that matter.
 * A choice beyond the last begins again with the first.
 */
int errors_count(int number);
int error_of(int number, int choice);

/* True if the system call removes a file. */
int removes(int number);

#endif
