/* SPDX-License-Identifier: MIT
 *
 * doctor_probe.h - processes that lock on request.
 */
#ifndef DOCTOR_PROBE_H
#define DOCTOR_PROBE_H

#include "doctor_process.h"

#include <filelock.h>

#include <stdint.h>

/* Rounds of a contention.  Every process is inside in each: enough that processes meet, few enough to end soon. */
#define PROBE_ROUNDS 8

/* Time that a contender stays inside, so that two that do not exclude each other are seen inside together. */
#define PROBE_STAY_MS 2

/* Limit of a wait that is to end by a release.  A network file system may look for a free lock every few seconds. */
#define PROBE_WAIT_MS 20000

struct interval {
    int64_t from, to; /* microseconds of run_clock() */
};

struct probe_answer {
    int waits;    /* the acquire has begun to wait; another answer follows */
    int error;    /* what the library answered */
    int64_t when; /* after an acquire, before a release; microseconds of run_clock() */
    int count;    /* rounds that were inside */
    struct interval inside[PROBE_ROUNDS];
};

struct probe {
    struct process process;
};

/* Starts a process with a handle for this kind and path.  Returns 0 or an errno value. */
int probe_start(struct probe *probe, int kind, const char *path);

/* These send a request.  probe_hear() receives the answer. */
void probe_ask_acquire(struct probe *probe, enum filelock_mode mode, int64_t timeout_ms);
void probe_ask_release(struct probe *probe);
void probe_ask_contend(struct probe *probe);

/* Receives an answer.  Returns 0 or an errno value, as process_read() does. */
int probe_hear(struct probe *probe, struct probe_answer *answer);

/* These ask, and receive the last answer.  They return what the library answered, or -EPIPE, -EINTR, or -ETIME if no
 * answer came. */
int probe_acquire(struct probe *probe, enum filelock_mode mode, int64_t timeout_ms, int64_t *when);
int probe_release(struct probe *probe, int64_t *when);

/* Ends the process of the probe, if it runs. */
void probe_end(struct probe *probe);

/* Serves requests until the pipe is closed: what a started process does. */
void probe_serve(filelock_waitable from, filelock_waitable to);

#endif
