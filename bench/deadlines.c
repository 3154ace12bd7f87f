/* SPDX-License-Identifier: MIT
 *
 * deadlines.c - measures two thousand threads of one process that wait for one lock until their timeouts
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <filelock.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WAITERS = 2000, TIMEOUT_MS = 3000, STACK = 65536, MAX_KB_EACH = 4, MAX_LATE_MS = 50 };
enum { DESCRIPTORS_EACH = 2 };

/* ---- The worker ----------------------------------------------------------------------------- */

/* What a thread waits for: the lock; or only for the time, in the floor. */
static const int no_kind = -1, flock_kind = FILELOCK_KIND_FLOCK, ofd_kind = FILELOCK_KIND_OFD,
                 soft_kind = FILELOCK_KIND_SOFT;

struct waiter {
    pthread_t thread;
    struct filelock *lock; /* NULL: the floor */
    int64_t late;
};

static pthread_barrier_t all_ready;

static struct filelock *new_handle(int kind, const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;

    if (kind == no_kind)
        return NULL;
    options.kind = kind;
    if (filelock_new(&lock, path, &options) != 0)
        die("no handle for %s", path);
    return lock;
}

static void *wait_until_timeout(void *arg)
{
    struct waiter *waiter = arg;
    int64_t began;

    pthread_barrier_wait(&all_ready);
    began = now_ns();
    if (!waiter->lock)
        sleep_ns((int64_t) TIMEOUT_MS * 1000000);
    else if (filelock_acquire(waiter->lock, FILELOCK_EXCLUSIVE, TIMEOUT_MS) == 0)
        die("%s is not held", filelock_path(waiter->lock));
    waiter->late = now_ns() - began - (int64_t) TIMEOUT_MS * 1000000;
    return NULL;
}

/* Stores the bytes of this process that are in memory, and the number of its threads; -1 where that cannot be known. */
static void measure_process(int64_t *bytes, int64_t *threads)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    int64_t number;

    *bytes = *threads = -1;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmRSS: %" SCNd64, &number) == 1)
            *bytes = number * 1024;
        else if (sscanf(line, "Threads: %" SCNd64, &number) == 1)
            *threads = number;
    }
    if (file)
        fclose(file);
}

static void start(struct waiter *waiter, int kind, const char *path)
{
    pthread_attr_t attributes;

    waiter->lock = new_handle(kind, path);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    if (pthread_create(&waiter->thread, &attributes, wait_until_timeout, waiter) != 0)
        die("no thread");
    pthread_attr_destroy(&attributes);
}

/* Answers how much memory and how many threads there are more when all wait, and how late the last timeout is. */
static void wait_together(int kind, const char *path, size_t count)
{
    struct waiter *waiters = allocate(count, sizeof(*waiters));
    int64_t before, after, threads_before, threads_after, late = 0;

    if (pthread_barrier_init(&all_ready, NULL, (unsigned) count + 1) != 0)
        die("no barrier");
    for (size_t i = 0; i < count; i++)
        start(&waiters[i], kind, path);
    measure_process(&before, &threads_before);
    pthread_barrier_wait(&all_ready);
    sleep_ns((int64_t) TIMEOUT_MS * 1000000 / 2);
    measure_process(&after, &threads_after);
    for (size_t i = 0; i < count; i++) {
        pthread_join(waiters[i].thread, NULL);
        filelock_free(waiters[i].lock);
        if (waiters[i].late > late)
            late = waiters[i].late;
    }
    pthread_barrier_destroy(&all_ready);
    free(waiters);
    printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", after < 0 ? -1 : after - before, threads_after - threads_before,
           late);
}

static void hold(int kind, const char *path)
{
    struct filelock *lock = new_handle(kind, path);
    char line[8];

    if (lock && filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
        die("cannot acquire %s", path);
    printf("0\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        ;
    filelock_free(lock);
}

/*
 * Carries out a number:
 *   0       hold the lock until the input ends       -> 0
 *   COUNT   have that many threads wait for the lock -> bytes more, threads more, how late the last is
 */
static void serve(const struct subject *subject, const char *path)
{
    int kind = *(const int *) subject->variant;
    char line[256];

    while (fgets(line, sizeof line, stdin)) {
        long count = strtol(line, NULL, 10);

        if (count == 0)
            hold(kind, path);
        else
            wait_together(kind, path, (size_t) count);
        fflush(stdout);
    }
}

/* ---- The scenario --------------------------------------------------------------------------- */

static const struct subject subjects[] = {
    { "threads that sleep", NULL, NULL, NULL, NULL, &no_kind, serve, NULL },
    { "libfilelock flock", NULL, NULL, NULL, NULL, &flock_kind, serve, NULL },
    { "libfilelock OFD", NULL, NULL, NULL, NULL, &ofd_kind, serve, NULL },
    { "libfilelock soft", NULL, NULL, NULL, NULL, &soft_kind, serve, NULL },
};

enum { LANES = sizeof subjects / sizeof *subjects };

struct lane {
    struct samples memory, threads, late;
};

static int is_present(size_t lane)
{
    int kind = *(const int *) subjects[lane].variant;

    return kind == no_kind || filelock_supported(kind);
}

static void run_once(struct lane *lane, const struct subject *subject, const char *path, long count)
{
    struct worker holder, waiter;
    int64_t ready, measured[3];

    worker_start(&holder, subject, path);
    worker_ask(&holder, "0");
    worker_answer(&holder, &ready, 1);
    worker_start(&waiter, subject, path);
    worker_ask(&waiter, "%ld", count);
    worker_answer(&waiter, measured, 3);
    worker_stop(&waiter);
    worker_stop(&holder);
    samples_add(&lane->memory, (double) measured[0] / (double) count);
    samples_add(&lane->threads, (double) measured[1]);
    samples_add(&lane->late, (double) measured[2]);
}

static void record_goals(const struct lane *lane, const char *name)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "deadlines, kB for each waiter: %s", name);
    goal_at_most(what, samples_median(&lane->memory) / 1000, MAX_KB_EACH);
    snprintf(what, sizeof what, "deadlines, ms that the last is late: %s", name);
    goal_at_most(what, samples_median(&lane->late) / 1000000, MAX_LATE_MS);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "threads of one process|memory for each, kB|threads more|the last is late by");
    for (size_t i = 0; i < LANES; i++) {
        if (!is_present(i))
            continue;
        table_cell(&table, "%s", subjects[i].name);
        table_cell(&table, "%.1f", samples_median(&lanes[i].memory) / 1000);
        table_cell(&table, "%.0f", samples_median(&lanes[i].threads));
        table_time(&table, samples_median(&lanes[i].late));
        if (i > 0)
            record_goals(&lanes[i], subjects[i].name);
    }
    table_print(&table);
}

void scenario_deadlines(const struct settings *settings)
{
    long rounds = settings_choose(settings, 3, 1), count = allowed_by_descriptors(WAITERS, DESCRIPTORS_EACH);
    static struct lane lanes[LANES];
    char path[4096];

    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < LANES; i++) {
            size_t at = row_turn(LANES, round, i);

            scratch_path(settings, path, sizeof path);
            if (is_present(at))
                run_once(&lanes[at], &subjects[at], path, count);
            remove(path);
        }
    printf(
        "## Many deadlines\n\n"
        "%ld rounds: %ld threads of one process wait for a lock that another process holds, each by a handle of its\n"
        "own, until a timeout of %d ms. The memory is what is resident more when all of them wait.\n\n",
        rounds, count, TIMEOUT_MS);
    report(lanes);
    for (size_t i = 0; i < LANES; i++) {
        samples_free(&lanes[i].memory);
        samples_free(&lanes[i].threads);
        samples_free(&lanes[i].late);
    }
}
