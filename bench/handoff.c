/* SPDX-License-Identifier: MIT
 *
 * handoff.c - measures how soon a waiter has the lock after a holder releases it, and what the wait costs
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define FLOCK "raw flock, blocking"
#define FLOCK_STAT "raw flock, blocking, then stat"
#define OFD "raw OFD lock, blocking"

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock", FOREVER, .floor = FLOCK },
    { .label = FLOCK_STAT, .subject = "raw flock, stat", FOREVER, .floor = FLOCK },
    { .label = OFD, .subject = "raw ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock flock, for ever", .subject = "flock", FOREVER, .floor = FLOCK, .goal = 3, .cpu_goal = 1 },
    { .label = "libfilelock flock, 10 s", .subject = "flock", WAIT, .floor = FLOCK, .goal = 3, .cpu_goal = 1 },
    { .label = "libfilelock flock, for ever, cancel",
      .subject = "flock, cancel",
      FOREVER,
      .floor = FLOCK,
      .goal = 3,
      .cpu_goal = 1 },
    { .label = "libfilelock OFD, for ever", .subject = "ofd", FOREVER, .floor = OFD, .goal = 3, .cpu_goal = 1 },
    { .label = "libfilelock OFD, 10 s", .subject = "ofd", WAIT, .floor = OFD, .goal = 3, .cpu_goal = 1 },
    { .label = "libfilelock OFD, for ever, cancel",
      .subject = "ofd, cancel",
      FOREVER,
      .floor = OFD,
      .goal = 3,
      .cpu_goal = 1 },
    { .label = "libfilelock soft, for ever", .subject = "soft", FOREVER, .floor = FLOCK, .goal = 5, .cpu_goal = 2 },
    { .label = "libfilelock soft, 10 s", .subject = "soft", WAIT, .floor = FLOCK, .goal = 5, .cpu_goal = 2 },
    { .label = "libfilelock soft, for ever, cancel",
      .subject = "soft, cancel",
      FOREVER,
      .floor = FLOCK,
      .goal = 5,
      .cpu_goal = 2 },
    { .label = "flock(1) -w 10 FD, with its start", .subject = "flock(1) FD", WAIT, .floor = FLOCK, .every = 4 },
    { .label = "filelock(1) -w 10 FD, with its start", .subject = "filelock(1) FD", WAIT, .floor = FLOCK, .every = 4 },
    { .label = "Boost timed_lock", .subject = "Boost", WAIT, .floor = OFD, .every = 4 },
    { .label = "Python filelock, 10 s", .subject = "Python", WAIT, .floor = FLOCK, .every = 4 },
    { .label = "Python SoftFileLock, 10 s", .subject = "Python soft", WAIT, .floor = FLOCK, .every = 4 },
    { .label = "Qt QLockFile, 10 s", .subject = "Qt", WAIT, .floor = FLOCK, .every = 4 },
    { .label = "liblockfile, 10 s", .subject = "liblockfile", WAIT, .floor = FLOCK, .every = 30, .slow = 1 },
};

enum { ROWS = sizeof rows / sizeof *rows };
/* ns: the holder holds for a little longer than HOLD, see run_once(). */
static const int64_t HOLD = 100000000;

struct lane {
    struct worker holder, waiter;
    int present;
    struct samples time;
    double waited, cpu;
    size_t count;
};

/*
 * Returns the time of one handoff.  The holder holds from when the waiter is told to wait: long enough for the
 * slowest waiter to be waiting by the end.  If a waiter was not, the handoff is done again.  Rows that do not run in
 * every round poll: for these the length of the hold varies, so that the release meets all phases of their polling.
 */
static double run_once(struct lane *lane, const struct row *row, uint64_t *seed)
{
    int64_t ready, stamp, got[3];
    int64_t hold = HOLD + random_below(seed, row->every > 1 ? HOLD / 2 : HOLD / 50);

    do {
        worker_ask(&lane->holder, "hold");
        worker_answer(&lane->holder, &ready, 1);
        worker_ask(&lane->waiter, "wait %" PRId64, row->timeout_ms);
        worker_ask(&lane->holder, "release %" PRId64, hold);
        worker_answer(&lane->holder, &stamp, 1);
        worker_answer(&lane->waiter, got, 3);
    } while (got[1] < hold / 2);
    lane->waited += (double) got[1];
    lane->cpu += (double) got[2];
    lane->count++;
    return (double) (got[0] - stamp);
}

static void run_round(struct lane *lanes, long round, uint64_t *seed)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = row_turn(ROWS, round, i);
        const struct row *row = &rows[at];

        if (lanes[at].present)
            samples_add(&lanes[at].time, row_due(row, round) ? run_once(&lanes[at], row, seed) : NAN);
    }
}

static void record_goals(const struct lane *lane, const struct row *row, double ratio)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "handoff p50: %s / raw", row->label);
    goal_at_most(what, ratio, row->goal);
    snprintf(what, sizeof what, "handoff CPU, ms per s waited: %s", row->label);
    goal_at_most(what, 1000 * lane->cpu / lane->waited, row->cpu_goal);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "waiter|p50|p99|p50 / floor's|CPU per wait|CPU per s waited");
    for (size_t i = 0; i < ROWS; i++) {
        const struct lane *lane = &lanes[i];
        size_t floor = row_find(rows, ROWS, rows[i].floor);

        if (!lane->present)
            continue;
        double p50 = samples_median(&lane->time);
        double ratio = floor < ROWS ? p50 / samples_median(&lanes[floor].time) : NAN;
        table_cell(&table, "%s", rows[i].label);
        table_time(&table, p50);
        table_time(&table, samples_percentile(&lane->time, 99));
        table_ratio(&table, ratio);
        table_time(&table, lane->cpu / (double) lane->count);
        table_cell(&table, "%.2f ms", 1000 * lane->cpu / lane->waited);
        if (rows[i].goal > 0)
            record_goals(lane, &rows[i], ratio);
    }
    table_print(&table);
}

void scenario_handoff(const struct settings *settings)
{
    long rounds = settings_choose(settings, 60, 3);
    static struct lane lanes[ROWS];
    uint64_t seed = (uint64_t) now_ns();
    char path[4096];

    for (size_t i = 0; i < ROWS; i++) {
        const struct subject *subject = row_subject(&rows[i], settings);

        scratch_path(settings, path, sizeof path);
        lanes[i].present = subject != NULL;
        if (subject) {
            worker_start(&lanes[i].holder, subject, path);
            worker_start(&lanes[i].waiter, subject, path);
        }
    }
    for (long round = 0; round < rounds; round++)
        run_round(lanes, round, &seed);
    printf("## Handoff to a waiter\n\n"
           "%ld rounds (pollers and programs: every fourth; liblockfile, which sleeps for 5 s: every 30th).\n"
           "The holder, of the same row, holds for 100 ms and more, then releases; the time is from just\n"
           "before its release until the waiter has the lock.\n\n",
           rounds);
    report(lanes);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        if (lanes[i].present) {
            worker_stop(&lanes[i].holder);
            worker_stop(&lanes[i].waiter);
        }
        samples_free(&lanes[i].time);
    }
}
