/* SPDX-License-Identifier: MIT
 *
 * kill.c - measures how soon a waiter has the lock of a holder that was killed
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define FLOCK "raw flock, blocking"
#define OFD "raw OFD lock, blocking"

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock", FOREVER, .floor = FLOCK },
    { .label = OFD, .subject = "raw ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock flock, for ever", .subject = "flock", FOREVER, .floor = FLOCK },
    { .label = "libfilelock flock, 10 s", .subject = "flock", WAIT, .floor = FLOCK },
    { .label = "libfilelock OFD, for ever", .subject = "ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock OFD, 10 s", .subject = "ofd", WAIT, .floor = OFD },
    { .label = "libfilelock soft, for ever", .subject = "soft", FOREVER, .floor = FLOCK, .goal = 10 },
    { .label = "libfilelock soft, 10 s", .subject = "soft", WAIT, .floor = FLOCK, .goal = 10 },
    { .label = "libfilelock soft, for ever, cancel", .subject = "soft, cancel", FOREVER, .floor = FLOCK, .goal = 10 },
    { .label = "flock(1) -w 10 FD, with its start", .subject = "flock(1) FD", WAIT, .floor = FLOCK },
    { .label = "filelock(1) -w 10 FD, with its start", .subject = "filelock(1) FD", WAIT, .floor = FLOCK },
    { .label = "Boost timed_lock", .subject = "Boost", WAIT, .floor = OFD },
    { .label = "Python filelock, 10 s", .subject = "Python", WAIT, .floor = FLOCK, .every = 3 },
    { .label = "Qt QLockFile, 10 s", .subject = "Qt", WAIT, .floor = FLOCK, .every = 3 },
    /* 20 s: liblockfile removes a dead holder's marker in one attempt, and makes its own only in the next. */
    { .label = "liblockfile, 20 s", .subject = "liblockfile", 20000, .floor = FLOCK, .every = 30, .slow = 1 },
};

enum { ROWS = sizeof rows / sizeof *rows };
/* ns: the holder is killed after HOLD to 2 * HOLD. */
static const int64_t HOLD = 30000000;

struct lane {
    struct worker waiter;
    const struct subject *subject;
    char path[4096];
    struct samples time;
};

/* Returns the time of one handoff.  If the waiter has waited for less than half of the hold, it began too late: the
 * handoff is done again. */
static double run_once(struct lane *lane, const struct row *row, uint64_t *seed)
{
    int64_t ready, stamp, got[3], hold = HOLD + random_below(seed, HOLD);

    do {
        struct worker holder;

        worker_start(&holder, lane->subject, lane->path);
        worker_ask(&holder, "hold");
        worker_answer(&holder, &ready, 1);
        worker_ask(&lane->waiter, "wait %" PRId64, row->timeout_ms);
        sleep_ns(hold);
        stamp = now_ns();
        worker_kill(&holder);
        worker_answer(&lane->waiter, got, 3);
    } while (got[1] < hold / 2);
    return (double) (got[0] - stamp);
}

static void run_round(struct lane *lanes, long round, uint64_t *seed)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = row_turn(ROWS, round, i);
        const struct row *row = &rows[at];

        if (lanes[at].subject)
            samples_add(&lanes[at].time, row_due(row, round) ? run_once(&lanes[at], row, seed) : NAN);
    }
}

static void record_goal(const struct row *row, double ratio)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "killed, p50: %s / raw", row->label);
    if (row->goal > 0)
        goal_at_most(what, ratio, row->goal);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "waiter|p50|p90|p50 / floor's");
    for (size_t i = 0; i < ROWS; i++) {
        size_t floor = row_find(rows, ROWS, rows[i].floor);

        if (!lanes[i].subject)
            continue;
        double p50 = samples_median(&lanes[i].time);
        double ratio = floor < ROWS ? p50 / samples_median(&lanes[floor].time) : NAN;
        table_cell(&table, "%s", rows[i].label);
        table_time(&table, p50);
        table_time(&table, samples_percentile(&lanes[i].time, 90));
        table_ratio(&table, ratio);
        record_goal(&rows[i], ratio);
    }
    table_print(&table);
}

void scenario_kill(const struct settings *settings)
{
    long rounds = settings_choose(settings, 30, 3);
    static struct lane lanes[ROWS];
    uint64_t seed = (uint64_t) now_ns();

    for (size_t i = 0; i < ROWS; i++) {
        lanes[i].subject = row_subject(&rows[i], settings);
        scratch_path(settings, lanes[i].path, sizeof lanes[i].path);
        if (lanes[i].subject)
            worker_start(&lanes[i].waiter, lanes[i].subject, lanes[i].path);
    }
    for (long round = 0; round < rounds; round++)
        run_round(lanes, round, &seed);
    printf("## Handoff from a holder that is killed\n\n"
           "%ld rounds (Python and Qt: every third; liblockfile: one). A third process kills the\n"
           "holder (SIGKILL) and reaps it; the time is from just before the kill, so the kernel's work to\n"
           "end a process is in it.\n\n",
           rounds);
    report(lanes);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        if (lanes[i].subject)
            worker_stop(&lanes[i].waiter);
        samples_free(&lanes[i].time);
    }
}
