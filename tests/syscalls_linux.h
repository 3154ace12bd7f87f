/* SPDX-License-Identifier: MIT
 *
 * syscalls_linux.h - system calls that fail, or are stopped one after the other, by means of seccomp(2) of Linux.
 */
#ifndef SYSCALLS_LINUX_H
#define SYSCALLS_LINUX_H

#include <stdint.h>

/*
 * Makes the system call fail with this error from now on, in this thread and in what it forks and starts.  It fails if
 * the argument has one of these bits, or always if bits is 0.  Returns 0, or -1 where that is not possible.
 */
int deny(long number, unsigned argument, uint32_t bits, int error);

/* What a poor system lacks. */
enum {
    NO_UNNAMED = 1, /* no files without a name */
    NO_LINKS = 2,   /* no hard links */
    NO_LOCKS = 4,   /* no flock(2) */
    NO_SWAP = 8,    /* no renameat2(2) */
    NO_WATCH = 16,  /* no inotify(7) */
    NO_PIDFD = 32   /* no pidfd_open(2) */
};

/* Has this process live on such a system from now on.  Returns 0, or -1 where calls cannot be denied. */
int impoverish(unsigned lacks);

/* For tests of soft locks on such a system, which use markers.h. */
#define ON_SYSTEM(lacks)                                \
    do {                                                \
        NEEDS_SOFT();                                   \
        if (under_valgrind() || impoverish(lacks) != 0) \
            SKIP("system calls cannot be denied here"); \
    } while (0)

/*
 * Called in a child of the tracing process.  Sends on `to` what tracer_open() takes from the other end of that socket.
 * From now on the tracer is told of each system call, except those of memory, sleep and time.  Returns 0, or -1.
 */
int trace_me(int to);

/* Returns the descriptor for trace_next(), or -1. */
int tracer_open(int from);

enum trace { TRACE_CALL, TRACE_IDLE, TRACE_END };

struct trace_call {
    uint64_t id;
    int number;
    uint64_t arguments[6];
};

/* The call by which a traced process talks to its tracer.  Nothing else asks for its parent. */
#define TRACE_WORD SYS_getppid

/*
 * Waits for the next call.  Returns:
 * - CALL: the call waits for its answer
 * - IDLE: there was none within a millisecond
 * - END: the process has ended
 */
enum trace trace_next(int tracer, struct trace_call *call);

/* Lets the call be done if error is 0, or fail. */
void trace_answer(int tracer, const struct trace_call *call, int error);

#endif
