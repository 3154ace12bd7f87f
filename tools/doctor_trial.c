/* SPDX-License-Identifier: MIT
 *
 * doctor_trial.c - tries one kind of lock with real processes.
 */
#include "doctor_trial.h"

#include "doctor_probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Processes that contend.  With two, one that is slow to start might meet the other only now and then. */
#define CONTENDERS 3

/* Waits that are timed: their median counts, so that one wait which the system delayed does not. */
#define WAITS 3

/* Limit of a wait that is to end by the death of the holder. */
#define DEATH_MS 5000

/* Time after which a waiter is at rest, and time for which its sleeps are counted.  The library's naps have grown to
 * 50 ms by then. */
#define SETTLE_MS 50
#define WATCH_MS 100

/* Limits of a wake-up that nothing but a message can explain.  The first holds where sleeps are counted too: then it
 * tells only a system that looks for free locks itself, every few seconds.  The library looks every 25 to 50 ms. */
#define TOLD_US 200000
#define TOLD_BY_TIME_US 12000

struct trial {
    struct kind_findings *findings;
    struct probe probes[CONTENDERS];
};

void trial_explain(struct kind_findings *findings, const char *what, int error)
{
    const char *why = error == -ETIME       ? "no answer came: the file system hangs"
                      : error == -EPIPE     ? "the process ended unexpectedly"
                      : error == -EINTR     ? "interrupted"
                      : error == -ETIMEDOUT ? "the lock did not become free"
                                            : filelock_strerror(error);

    snprintf(findings->error, sizeof findings->error, "cannot %s: %s", what, why);
}

/* Notes an error, unless there was none.  True if there was one. */
static int failed(struct trial *trial, const char *what, int error)
{
    if (error != 0)
        trial_explain(trial->findings, what, error);
    return error != 0;
}

/* True if the second process is refused while the first holds.  Notes an error if it is neither refused nor let in. */
static int is_refused(struct trial *trial, struct probe *second)
{
    int error = probe_acquire(second, FILELOCK_EXCLUSIVE, FILELOCK_TRY, NULL);

    if (error == -ETIMEDOUT)
        return 1;
    if (!failed(trial, "try a lock that is held", error)) {
        trial->findings->excludes = FAILS;
        probe_release(second, NULL);
    }
    return 0;
}

/* One holds, the other tries; then the first lets go, and the other is let in.  False if the trial cannot go on. */
static int try_turns(struct trial *trial)
{
    struct probe *first = &trial->probes[0], *second = &trial->probes[1];

    if (failed(trial, "acquire", probe_acquire(first, FILELOCK_EXCLUSIVE, FILELOCK_TRY, NULL)))
        return 0;
    is_refused(trial, second);
    if (trial->findings->error[0] != '\0' || failed(trial, "release", probe_release(first, NULL)) ||
        failed(trial, "acquire what was released", probe_acquire(second, FILELOCK_EXCLUSIVE, PROBE_WAIT_MS, NULL)))
        return 0;
    return !failed(trial, "release", probe_release(second, NULL));
}

static int by_start(const void *a, const void *b)
{
    const struct interval *one = a, *other = b;

    return (one->from > other->from) - (one->from < other->from);
}

/* Counts the intervals that begin before an earlier one has ended. */
static int count_overlaps(struct interval *inside, size_t count)
{
    int64_t latest = INT64_MIN;
    int overlaps = 0;
    size_t i;

    qsort(inside, count, sizeof *inside, by_start);
    for (i = 0; i < count; i++) {
        overlaps += inside[i].from < latest;
        latest = inside[i].to > latest ? inside[i].to : latest;
    }
    return overlaps;
}

/* All are inside again and again, and each notes when.  False if the trial cannot go on. */
static int try_contention(struct trial *trial)
{
    struct interval inside[CONTENDERS * PROBE_ROUNDS];
    struct probe_answer answer;
    size_t count = 0, i;
    int first_error = 0;

    for (i = 0; i < CONTENDERS; i++)
        probe_ask_contend(&trial->probes[i]);
    for (i = 0; i < CONTENDERS; i++) {
        int error;

        do
            error = probe_hear(&trial->probes[i], &answer);
        while (error == 0 && answer.waits);
        error = error == 0 ? answer.error : error == ETIMEDOUT ? -ETIME : -error;
        if (error == 0) {
            memcpy(inside + count, answer.inside, (size_t) answer.count * sizeof *inside);
            count += (size_t) answer.count;
        } else if (first_error == 0) {
            first_error = error;
        }
    }
    trial->findings->overlaps = count_overlaps(inside, count);
    if (trial->findings->overlaps > 0)
        trial->findings->excludes = FAILS;
    return !failed(trial, "contend", first_error);
}

/* Two share, a third wants the lock for itself.  A kind that cannot be shared is left untried. */
static int try_sharing(struct trial *trial)
{
    struct probe *first = &trial->probes[0], *second = &trial->probes[1];
    int error = probe_acquire(first, FILELOCK_SHARED, FILELOCK_TRY, NULL);

    if (error == -EINVAL)
        return 1;
    if (failed(trial, "acquire shared", error))
        return 0;
    error = probe_acquire(second, FILELOCK_SHARED, FILELOCK_TRY, NULL);
    trial->findings->shares = error == 0 ? WORKS : FAILS;
    is_refused(trial, &trial->probes[2]);
    if (error == 0)
        error = probe_release(second, NULL);
    else if (error == -ETIMEDOUT)
        error = 0;
    return !failed(trial, "share", error) && !failed(trial, "release", probe_release(first, NULL)) &&
           trial->findings->error[0] == '\0';
}

/* The holder has the lock, and the waiter waits for it.  False if the trial cannot go on. */
static int begin_wait(struct trial *trial, struct probe *holder, struct probe *waiter, int64_t timeout_ms)
{
    struct probe_answer answer;
    int error = probe_acquire(holder, FILELOCK_EXCLUSIVE, PROBE_WAIT_MS, NULL);

    if (failed(trial, "acquire", error))
        return 0;
    probe_ask_acquire(waiter, FILELOCK_EXCLUSIVE, timeout_ms);
    error = probe_hear(waiter, &answer);
    if (error != 0)
        error = error == ETIMEDOUT ? -ETIME : -error;
    else if (!answer.waits)
        error = answer.error != 0 ? answer.error : -EPROTO;
    return !failed(trial, "wait", error);
}

/* Receives how the wait ended.  Returns as probe_acquire() does. */
static int end_wait(struct probe *waiter, int64_t *when)
{
    struct probe_answer answer;
    int error = probe_hear(waiter, &answer);

    if (error != 0)
        return error == ETIMEDOUT ? -ETIME : -error;
    *when = answer.when;
    return answer.error;
}

static int by_size(const void *a, const void *b)
{
    int64_t one = *(const int64_t *) a, other = *(const int64_t *) b;

    return (one > other) - (one < other);
}

/* Times one wait.  Adds to *sleeps how many times the waiter slept during a time of rest, or leaves it at -1.  False if
 * the trial cannot go on. */
static int time_wait(struct trial *trial, int64_t *wake_us, int64_t *sleeps)
{
    struct probe *holder = &trial->probes[0], *waiter = &trial->probes[1];
    int64_t before, after, released = 0, woken = 0;
    int error;

    if (!begin_wait(trial, holder, waiter, PROBE_WAIT_MS))
        return 0;
    process_nap(SETTLE_MS);
    before = process_sleeps(&waiter->process);
    process_nap(WATCH_MS);
    after = process_sleeps(&waiter->process);
    *sleeps = before < 0 || after < 0 ? -1 : after - before;
    if (failed(trial, "release", probe_release(holder, &released)))
        return 0;
    error = end_wait(waiter, &woken);
    if (error == -ETIMEDOUT)
        trial->findings->waiting = WAITING_LOST;
    if (failed(trial, "wake a waiter", error))
        return 0;
    *wake_us = woken > released ? woken - released : 0;
    return !failed(trial, "release", probe_release(waiter, NULL));
}

static int try_waiting(struct trial *trial)
{
    int64_t wake_us[WAITS], sleeps, most = -1;
    int i;

    for (i = 0; i < WAITS; i++) {
        if (!time_wait(trial, &wake_us[i], &sleeps))
            return 0;
        most = sleeps > most ? sleeps : most;
    }
    qsort(wake_us, WAITS, sizeof *wake_us, by_size);
    trial->findings->wake_us = wake_us[WAITS / 2];
    /* A single sleep may be a rare look, such as for a process that was stopped: a poller sleeps again and again, though on
     * a busy machine it may get no processor for all of a time of rest. */
    trial->findings->waiting =
        most <= 1 && wake_us[WAITS / 2] <= (most < 0 ? TOLD_BY_TIME_US : TOLD_US) ? WAITING_TOLD : WAITING_POLLS;
    return 1;
}

/* Kills the holder while the other waits. */
static void try_killing(struct trial *trial)
{
    struct probe *holder = &trial->probes[0], *waiter = &trial->probes[1];
    int64_t woken;
    int error;

    if (!begin_wait(trial, holder, waiter, DEATH_MS))
        return;
    process_kill(&holder->process);
    error = end_wait(waiter, &woken);
    if (error == 0 || error == -ETIMEDOUT)
        trial->findings->ends_with_holder = error == 0 ? WORKS : FAILS;
    if (error == -ETIMEDOUT)
        error = 0;
    failed(trial, "acquire after a kill", error);
}

static int start_probes(struct trial *trial, const char *path)
{
    size_t i;

    for (i = 0; i < CONTENDERS; i++)
        if (failed(trial, "start a process", -probe_start(&trial->probes[i], trial->findings->kind, path)))
            return 0;
    return 1;
}

void trial_run(struct kind_findings *findings, const char *place)
{
    struct trial trial = { .findings = findings };
    char path[4096 + 64];
    size_t i;

    snprintf(path, sizeof path, "%s/%s", place, filelock_kind_name(findings->kind));
    if (start_probes(&trial, path) && try_turns(&trial) && try_contention(&trial) && try_sharing(&trial) &&
        findings->excludes != FAILS) {
        findings->excludes = WORKS;
        if (try_waiting(&trial))
            try_killing(&trial);
    }
    for (i = 0; i < CONTENDERS; i++)
        probe_end(&trial.probes[i]);
}
