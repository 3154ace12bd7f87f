/* SPDX-License-Identifier: MIT
 *
 * worker.h - a process that holds, waits for and contends for a lock when it is told to
 *
 * Every row of every scenario is measured in processes of its own, which speak one protocol over
 * pipes: a line is a command and whole numbers, the answer is a line of whole numbers.  Times are
 * nanoseconds, stamps are of CLOCK_MONOTONIC, timeouts are as acquire() of a subject has them.
 *
 *   cycle COUNT TIMEOUT        acquire and release COUNT times       -> time of all
 *   hold                       acquire, waiting for ever             -> 0
 *   release AFTER              sleep, stamp, release                 -> stamp
 *   wait TIMEOUT               acquire, stamp, release               -> stamp, time waited, CPU of it
 *   contend START END HOLD PAUSE TIMEOUT SEED
 *                              from stamp START to stamp END: acquire, sleep for HOLD, release,
 *                              sleep for 0 to 2 * PAUSE    -> times acquired, worst wait, CPU, timeouts
 *   many COUNT TIMEOUT         COUNT handles, on files that exist    -> time to acquire all, to release all
 *   memory COUNT               COUNT handles, each used once         -> bytes of heap for all, -1: not known
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
    struct worker *next; /* of all that are running */
};

/* Forks a worker for the lock at `path`. */
void worker_start(struct worker *worker, const struct subject *subject, const char *path);
/* Sends one line, to which the newline is added. */
void worker_ask(struct worker *worker, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/* Waits for the answer to the oldest question. */
void worker_answer(struct worker *worker, int64_t *value, size_t count);
/* Ends it with its pipe, or with a signal; both wait until it has gone. */
void worker_stop(struct worker *worker);
void worker_kill(struct worker *worker);

/* What a forked worker runs until its input ends: the protocol over a subject's operations. */
void worker_serve(const struct subject *subject, const char *path);

/* Bytes that malloc has given out, -1 where that cannot be known. */
int64_t heap_bytes(void);

#endif
