/* SPDX-License-Identifier: MIT
 *
 * syscalls_linux.h - system calls that fail, or are stopped one by one: seccomp(2) of Linux.
 */
#ifndef SYSCALLS_LINUX_H
#define SYSCALLS_LINUX_H

#include <stdint.h>

/*
 * From now on the system call fails with this error, in this thread and what it forks and starts: if
 * the argument has one of these bits, or always (bits 0).  0, or -1 where that cannot be had.
 */
int deny(long number, unsigned argument, uint32_t bits, int error);

/* What a poor system lacks. */
enum {
    NO_UNNAMED = 1,  /* no files without a name */
    NO_LINKS = 2,    /* no hard links */
    NO_LOCKS = 4,    /* no flock(2) */
    NO_SWAP = 8,     /* no renameat2(2) */
    NO_WATCH = 16,   /* no inotify(7) */
    NO_PIDFD = 32    /* no pidfd_open(2) */
};

/* From now on this process lives on such a system: 0, or -1 where calls cannot be denied. */
int impoverish(unsigned lacks);

/* For tests of soft locks on such a system, with markers.h. */
#define ON_SYSTEM(lacks)                                                                           \
    do {                                                                                           \
        NEEDS_SOFT();                                                                              \
        if (under_valgrind() || impoverish(lacks) != 0)                                            \
            SKIP("system calls cannot be denied here");                                            \
    } while (0)

/*
 * In a child of the tracing process, which is sent on `to` what tracer_open() takes from the other
 * end of that socket: from now on each system call is told to the tracer, but for those of
 * memory, sleep and time.  0, or -1.
 */
int trace_me(int to);

/* The descriptor for trace_next(), or -1. */
int tracer_open(int from);

enum trace { TRACE_CALL, TRACE_IDLE, TRACE_END };

struct trace_call {
    uint64_t id;
    int number;
    uint64_t arguments[6];
};

/* What a traced process says to its tracer alone: nothing else asks for its parent. */
#define TRACE_WORD SYS_getppid

/* The next call, which waits for its answer; IDLE: none within a millisecond; END: the process has ended. */
enum trace trace_next(int tracer, struct trace_call *call);

/* Lets it be done (error 0), or fail. */
void trace_answer(int tracer, const struct trace_call *call, int error);

#endif
