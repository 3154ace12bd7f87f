/* SPDX-License-Identifier: MIT
 *
 * doctor_probe.c - both sides of a process that locks on request.
 */
#include "doctor_probe.h"

#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum operation { ACQUIRE, RELEASE, CONTEND };

/* The first bytes to a process: then the path follows. */
struct opening {
    int kind;
    size_t length;
};

struct request {
    enum operation operation;
    enum filelock_mode mode;
    int64_t timeout_ms;
};

/* Time that an answer may take beyond the timeout of the acquire: a slow file system is not a hanging one. */
#define ANSWER_MS 30000

/* ---- The process that serves ---------------------------------------------------------------- */

static void say_waits(struct filelock *lock, void *to)
{
    struct probe_answer answer = { 0 };

    (void) lock;
    answer.waits = 1;
    process_write(*(filelock_waitable *) to, &answer, sizeof answer);
}

static void contend(struct filelock *lock, struct probe_answer *answer)
{
    while (answer->count < PROBE_ROUNDS) {
        struct interval *inside = &answer->inside[answer->count];

        answer->error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, PROBE_WAIT_MS);
        if (answer->error != 0)
            return;
        inside->from = run_clock();
        process_nap(PROBE_STAY_MS);
        inside->to = run_clock();
        answer->count++;
        answer->error = filelock_release(lock);
        if (answer->error != 0)
            return;
    }
}

static void serve_request(struct filelock *lock, const struct request *request, struct probe_answer *answer)
{
    switch (request->operation) {
    case ACQUIRE:
        answer->error = filelock_acquire(lock, request->mode, request->timeout_ms);
        answer->when = run_clock();
        break;
    case RELEASE:
        answer->when = run_clock();
        answer->error = filelock_release(lock);
        break;
    case CONTEND:
        contend(lock, answer);
        break;
    }
}

/* Returns the path, which the caller frees, or NULL. */
static char *receive_path(filelock_waitable from, struct opening *opening)
{
    char *path;

    if (process_await(from, opening, sizeof *opening) != 0)
        return NULL;
    path = calloc(opening->length + 1, 1);
    if (path != NULL && process_await(from, path, opening->length) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

void probe_serve(filelock_waitable from, filelock_waitable to)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    struct opening opening;
    struct request request;
    char *path = receive_path(from, &opening);
    int error;

    if (path == NULL)
        return;
    options.kind = opening.kind;
    options.cancel = process_cancel(from);
    options.on_wait = say_waits;
    options.on_wait_arg = &to;
    error = filelock_new(&lock, path, &options);
    while (process_await(from, &request, sizeof request) == 0) {
        struct probe_answer answer = { 0 };

        answer.error = error;
        if (error == 0)
            serve_request(lock, &request, &answer);
        if (process_write(to, &answer, sizeof answer) != 0)
            break;
    }
    filelock_free(lock);
    free(path);
}

/* ---- The process that asks ------------------------------------------------------------------ */

int probe_start(struct probe *probe, int kind, const char *path)
{
    struct opening opening = { kind, strlen(path) };
    int error = process_start(&probe->process);

    if (error == 0)
        error = process_write(probe->process.to, &opening, sizeof opening);
    if (error == 0)
        error = process_write(probe->process.to, path, opening.length);
    return error;
}

/* Sends a request.  If it cannot be sent, the process has ended, and probe_hear() says so. */
static void ask(struct probe *probe, enum operation operation, enum filelock_mode mode, int64_t timeout_ms)
{
    struct request request = { operation, mode, timeout_ms };

    process_write(probe->process.to, &request, sizeof request);
}

void probe_ask_acquire(struct probe *probe, enum filelock_mode mode, int64_t timeout_ms)
{
    ask(probe, ACQUIRE, mode, timeout_ms);
}

void probe_ask_release(struct probe *probe)
{
    ask(probe, RELEASE, FILELOCK_EXCLUSIVE, 0);
}

void probe_ask_contend(struct probe *probe)
{
    ask(probe, CONTEND, FILELOCK_EXCLUSIVE, 0);
}

int probe_hear(struct probe *probe, struct probe_answer *answer)
{
    return process_read(probe->process.from, answer, sizeof *answer, PROBE_WAIT_MS + ANSWER_MS);
}

/* Receives answers up to the last. */
static int hear_last(struct probe *probe, int64_t *when)
{
    struct probe_answer answer;
    int error;

    do
        error = probe_hear(probe, &answer);
    while (error == 0 && answer.waits);
    if (error != 0)
        return error == ETIMEDOUT ? -ETIME : -error;
    if (when != NULL)
        *when = answer.when;
    return answer.error;
}

int probe_acquire(struct probe *probe, enum filelock_mode mode, int64_t timeout_ms, int64_t *when)
{
    probe_ask_acquire(probe, mode, timeout_ms);
    return hear_last(probe, when);
}

int probe_release(struct probe *probe, int64_t *when)
{
    probe_ask_release(probe);
    return hear_last(probe, when);
}

void probe_end(struct probe *probe)
{
    if (probe->process.pid != 0)
        process_end(&probe->process);
}
