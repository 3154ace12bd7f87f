/* SPDX-License-Identifier: MIT
 *
 * worker.h - a process that holds, waits for and contends for a lock when it is told to
 *
 * Every row of every scenario is measured in processes of its own.  All of them speak one protocol over pipes.  A line
 * to a worker is a command and whole numbers; its answer is a line of whole numbers.  Times are nanoseconds, stamps are
 * times of CLOCK_MONOTONIC, and timeouts mean what they mean to acquire() of a subject.
 *
 *   cycle COUNT TIMEOUT        acquire and release COUNT times       -> time for all of them
 *   hold                       acquire, waiting for ever             -> 0
 *   release AFTER              sleep, stamp, release                 -> stamp
 *   wait TIMEOUT               acquire, stamp, release               -> stamp, time waited, CPU time used
 *   contend START END HOLD PAUSE TIMEOUT SEED
 *                              from stamp START to stamp END: acquire, sleep for HOLD, release,
 *                              sleep for 0 to 2 * PAUSE    -> times acquired, worst wait, CPU time, timeouts
 *   many COUNT TIMEOUT         COUNT handles, on files that exist    -> time to acquire all, to release all
 *   memory COUNT               COUNT handles, each used once         -> bytes of heap for all, or -1 where not known
 *   thread                     make this a program with threads      -> 0
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "subject.h"

#include <stdio.h>
#include <sys/types.h>

struct worker {
    pid_t pid;
    int to;
    FILE *from;
    const char *name;
    struct worker *next; /* in the list of running workers */
};

/* Forks a worker for the lock at `path`. */
void worker_start(struct worker *worker, const struct subject *subject, const char *path);
/* Sends a line; the newline is added to it. */
void worker_ask(struct worker *worker, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Waits for the answer to the oldest question. */
void worker_answer(struct worker *worker, int64_t *value, size_t count);
/* Ends the worker by closing its pipe, or by SIGKILL.  Both wait until it has ended. */
void worker_stop(struct worker *worker);
void worker_kill(struct worker *worker);

/* Runs in a forked worker until its input ends: carries out the protocol by a subject's operations. */
void worker_serve(const struct subject *subject, const char *path);

/* Returns the bytes that malloc has given out, or -1 where that cannot be known. */
int64_t heap_bytes(void);

#endif
