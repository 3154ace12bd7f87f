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
};

/* The next call, which waits for its answer; IDLE: none within a millisecond; END: the process has ended. */
enum trace trace_next(int tracer, struct trace_call *call);

/* Lets it be done (error 0), or fail. */
void trace_answer(int tracer, const struct trace_call *call, int error);

#endif
