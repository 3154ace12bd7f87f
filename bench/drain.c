/* SPDX-License-Identifier: MIT
 *
 * drain.c - measures hundreds of processes that wait for one lock and pass it on
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FLOCK "raw flock, blocking"
#define OFD "raw OFD lock, blocking"

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock", FOREVER, .floor = FLOCK },
    { .label = OFD, .subject = "raw ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock flock, for ever", .subject = "flock", FOREVER, .floor = FLOCK },
    { .label = "libfilelock flock, 60 s", .subject = "flock", 60000, .floor = FLOCK },
    { .label = "libfilelock OFD, for ever", .subject = "ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock OFD, 60 s", .subject = "ofd", 60000, .floor = OFD },
};

enum { ROWS = sizeof rows / sizeof *rows };
/* How long the holder holds, in ns, so that all waiters are waiting by its release. */
static const int64_t GATHER = 100000000;

/* Returns the time from the holder's release until the last waiter has the lock, divided by the number of waiters. */
static double run_once(const struct row *row, const char *path, long count)
{
    const struct subject *subject = subject_find(row->subject);
    struct worker *waiters = allocate((size_t) count, sizeof *waiters), holder;
    int64_t ready, stamp, got[3], last = 0;

    worker_start(&holder, subject, path);
    worker_ask(&holder, "hold");
    worker_answer(&holder, &ready, 1);
    for (long i = 0; i < count; i++) {
        worker_start(&waiters[i], subject, path);
        worker_ask(&waiters[i], "wait %" PRId64, row->timeout_ms);
    }
    worker_ask(&holder, "release %" PRId64, GATHER);
    worker_answer(&holder, &stamp, 1);
    for (long i = 0; i < count; i++) {
        worker_answer(&waiters[i], got, 3);
        last = got[0] > last ? got[0] : last;
    }
    for (long i = 0; i < count; i++)
        worker_stop(&waiters[i]);
    worker_stop(&holder);
    free(waiters);
    return (double) (last - stamp) / (double) count;
}

static void report(const struct samples *samples)
{
    struct table table;

    table_begin(&table, "waiters|time for each|of its floor");
    for (size_t i = 0; i < ROWS; i++) {
        size_t floor = row_find(rows, ROWS, rows[i].floor);

        if (samples[i].count == 0)
            continue;
        table_cell(&table, "%s", rows[i].label);
        table_time(&table, samples_median(&samples[i]));
        table_ratio(&table, floor < ROWS ? samples_ratio(&samples[i], &samples[floor]) : NAN);
    }
    table_print(&table);
}

void scenario_drain(const struct settings *settings)
{
    long rounds = settings_choose(settings, 5, 1), count = settings_choose(settings, 300, 50);
    static struct samples samples[ROWS];
    static char paths[ROWS][4096];

    for (size_t i = 0; i < ROWS; i++)
        scratch_path(settings, paths[i], sizeof paths[i]);
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < ROWS; i++) {
            size_t at = row_turn(ROWS, round, i);

            if (subject_find(rows[at].subject))
                samples_add(&samples[at], run_once(&rows[at], paths[at], count));
        }
    printf("## Many waiters\n\n"
           "%ld rounds: %ld processes wait for one lock; each that gets it passes it on. The time is from the\n"
           "first release until the last has had it, by their number.\n\n",
           rounds, count);
    report(samples);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        samples_free(&samples[i]);
}
