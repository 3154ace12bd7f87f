/* SPDX-License-Identifier: MIT
 *
 * uncontended.c - measures acquire and release of a lock that no other process wants
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define FLOCK "raw flock, unlock"
#define FLOCK_STAT "raw flock, stat, unlock"
#define FLOCK_LOOK "raw fstat, flock, stat, fstat, unlock"
#define FLOCK_OPEN "raw open, flock, fstat, unlock, close"
#define OFD "raw OFD lock, unlock"
#define OFD_STAT "raw OFD lock, stat, unlock"
#define OFD_LOOK "raw fstat, OFD lock, stat, fstat, unlock"
#define OFD_OPEN "raw open, OFD lock, fstat, unlock, close"
#define FLOCK_STAT_THREADS FLOCK_STAT "; threads"
#define FLOCK_TRY "libfilelock flock, reused, try"
#define OFD_TRY "libfilelock OFD, reused, try"
#define FLOCK_CONVERT "raw flock to shared, less " FLOCK_STAT
#define OFD_CONVERT "raw OFD lock to shared and back, less " OFD_STAT
#define FLOCK_TWO "raw flock, stat, unlock of two files"
#define OFD_TWO "raw OFD lock, stat, unlock of two files"
#define EXISTS "raw O_EXCL create, write, close, unlink"
#define LINK "raw create, write, close, link, unlink both"
#define PROCESS "a process (true)"
#define FLOCK_1 "flock(1) FILE true, less true"

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock" },
    { .label = FLOCK_STAT, .subject = "raw flock, stat", .floor = FLOCK_STAT },
    { .label = FLOCK_LOOK, .subject = "raw flock, look", .floor = FLOCK_STAT },
    { .label = FLOCK_OPEN, .subject = "raw flock, open", .floor = FLOCK_OPEN },
    { .label = OFD, .subject = "raw ofd" },
    { .label = OFD_STAT, .subject = "raw ofd, stat", .floor = OFD_STAT },
    { .label = OFD_LOOK, .subject = "raw ofd, look", .floor = OFD_STAT },
    { .label = OFD_OPEN, .subject = "raw ofd, open", .floor = OFD_OPEN },
    { .label = FLOCK_TRY, .subject = "flock", .floor = FLOCK_STAT, .goal = 1.2 },
    { .label = "libfilelock flock, reused, 10 s", .subject = "flock", WAIT, .floor = FLOCK_STAT, .goal = 1.2 },
    { .label = "libfilelock flock, reused, for ever", .subject = "flock", FOREVER, .floor = FLOCK_STAT, .goal = 1.2 },
    { .label = OFD_TRY, .subject = "ofd", .floor = OFD_STAT, .goal = 1.2 },
    { .label = "libfilelock OFD, reused, 10 s", .subject = "ofd", WAIT, .floor = OFD_STAT, .goal = 1.2 },
    { .label = "libfilelock OFD, reused, for ever", .subject = "ofd", FOREVER, .floor = OFD_STAT, .goal = 1.2 },
    { .label = FLOCK_STAT_THREADS, .subject = "raw flock, stat", .threads = 1, .floor = FLOCK_STAT_THREADS },
    { .label = "libfilelock flock, reused, 10 s; threads",
      .subject = "flock",
      WAIT,
      .threads = 1,
      .floor = FLOCK_STAT_THREADS },
    { .label = FLOCK_CONVERT, .subject = "raw flock, convert", .less = FLOCK_STAT, .floor = FLOCK_CONVERT },
    { .label = "libfilelock flock, convert to shared",
      .subject = "flock, convert",
      .less = FLOCK_TRY,
      .floor = FLOCK_CONVERT },
    { .label = OFD_CONVERT, .subject = "raw ofd, convert", .less = OFD_STAT, .floor = OFD_CONVERT },
    { .label = "libfilelock OFD, convert to shared and back",
      .subject = "ofd, convert",
      .less = OFD_TRY,
      .floor = OFD_CONVERT },
    { .label = FLOCK_TWO, .subject = "raw flock, two", .floor = FLOCK_TWO },
    { .label = "libfilelock flock, two by acquire_several", .subject = "flock, several", WAIT, .floor = FLOCK_TWO },
    { .label = OFD_TWO, .subject = "raw ofd, two", .floor = OFD_TWO },
    { .label = "libfilelock OFD, two by acquire_several", .subject = "ofd, several", WAIT, .floor = OFD_TWO },
    { .label = "libfilelock flock, new handle", .subject = "flock, new", WAIT, .floor = FLOCK_OPEN },
    { .label = "libfilelock OFD, new handle", .subject = "ofd, new", WAIT, .floor = OFD_OPEN },
    { .label = "libbsd flopen, close", .subject = "libbsd", .floor = FLOCK_OPEN },
    { .label = "APR apr_file_lock (no path check)", .subject = "APR", .floor = FLOCK },
    { .label = "Boost timed_lock (no path check)", .subject = "Boost", WAIT, .floor = OFD },
    { .label = "Python filelock", .subject = "Python", WAIT, .floor = FLOCK_OPEN },
    { .label = EXISTS, .subject = "raw O_EXCL", .floor = EXISTS },
    { .label = LINK, .subject = "raw link", .floor = EXISTS },
    { .label = "libfilelock soft, reused, try", .subject = "soft", .floor = EXISTS, .goal = 1.5 },
    { .label = "libfilelock soft, reused, 10 s", .subject = "soft", WAIT, .floor = EXISTS, .goal = 1.5 },
    { .label = "libfilelock soft, reused, for ever", .subject = "soft", FOREVER, .floor = EXISTS, .goal = 1.5 },
    { .label = "libfilelock soft, new handle", .subject = "soft, new", WAIT, .floor = EXISTS },
    { .label = "liblockfile create, remove", .subject = "liblockfile", .floor = EXISTS },
    { .label = "Python SoftFileLock", .subject = "Python soft", WAIT, .floor = EXISTS },
    { .label = "Qt QLockFile (syncs to disk)", .subject = "Qt", WAIT, .floor = EXISTS },
    { .label = PROCESS, .subject = "true" },
    { .label = FLOCK_1, .subject = "flock(1)", .less = PROCESS, .floor = FLOCK_1 },
    { .label = "filelock(1) FILE true, less true", .subject = "filelock(1)", .less = PROCESS, .floor = FLOCK_1 },
};

enum { ROWS = sizeof rows / sizeof *rows, BATCH_NS = 500000 };

/* A row's process, and the number of its cycles in one batch. */
struct lane {
    struct worker worker;
    int present;
    int64_t batch;
    struct samples time;
};

static double run_batch(struct lane *lane, const struct row *row, int64_t count)
{
    int64_t time;

    worker_ask(&lane->worker, "cycle %" PRId64 " %" PRId64, count, row->timeout_ms);
    worker_answer(&lane->worker, &time, 1);
    return (double) time / (double) count;
}

static void lane_start(struct lane *lane, const struct row *row, const char *path)
{
    const struct subject *subject = subject_find(row->subject);
    int64_t ready;

    lane->present = subject != NULL;
    if (!lane->present)
        return;
    worker_start(&lane->worker, subject, path);
    if (row->threads) {
        worker_ask(&lane->worker, "thread");
        worker_answer(&lane->worker, &ready, 1);
    }
    run_batch(lane, row, 2);
    lane->batch = 1 + (int64_t) (BATCH_NS / run_batch(lane, row, 2));
    lane->batch = 1 + (int64_t) (BATCH_NS / run_batch(lane, row, lane->batch));
}

static void run_round(struct lane *lanes, long round)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = row_turn(ROWS, round, i);
        struct lane *lane = &lanes[at];

        if (lane->present)
            samples_add(&lane->time, run_batch(lane, &rows[at], lane->batch));
    }
}

/* Subtracts from a row's time, round by round, the time of the row that it names in `less`. */
static void subtract(struct lane *lanes)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t less = row_find(rows, ROWS, rows[i].less);

        for (size_t round = 0; less < ROWS && round < lanes[i].time.count; round++)
            lanes[i].time.value[round] -= lanes[less].time.value[round];
    }
}

static void record_goal(const struct row *row, double ratio)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "uncontended: %s / raw", row->label);
    if (row->goal > 0)
        goal_at_most(what, ratio, row->goal);
}

static void record_reuse(const struct lane *lanes)
{
    size_t reused = row_find(rows, ROWS, "libfilelock flock, reused, 10 s");
    size_t floor = row_find(rows, ROWS, FLOCK_OPEN);

    if (reused < ROWS && floor < ROWS)
        goal_at_most("uncontended: libfilelock flock, reused / raw open to close",
                     samples_ratio(&lanes[reused].time, &lanes[floor].time), 1);
}

static void report(struct lane *lanes)
{
    struct table table;

    table_begin(&table, "acquire and release|median|p90|times its floor");
    for (size_t i = 0; i < ROWS; i++) {
        size_t floor = row_find(rows, ROWS, rows[i].floor);
        double ratio = floor < ROWS ? samples_ratio(&lanes[i].time, &lanes[floor].time) : NAN;

        if (!lanes[i].present)
            continue;
        table_cell(&table, "%s", rows[i].label);
        table_time(&table, samples_median(&lanes[i].time));
        table_time(&table, samples_percentile(&lanes[i].time, 90));
        table_ratio(&table, ratio);
        record_goal(&rows[i], ratio);
    }
    table_print(&table);
}

void scenario_uncontended(const struct settings *settings)
{
    long rounds = settings_choose(settings, 400, 60);
    static struct lane lanes[ROWS];
    char path[4096];

    for (size_t i = 0; i < ROWS; i++) {
        scratch_path(settings, path, sizeof path);
        lane_start(&lanes[i], &rows[i], path);
    }
    for (long round = 0; round < rounds; round++)
        run_round(lanes, round);
    subtract(lanes);
    printf("## Uncontended\n\n"
           "%ld rounds of batches of 0.5 ms and more. A floor is the raw system calls that the row needs; a\n"
           "whole process is compared with flock(1)'s. The ratio is the median of the rounds' ratios.\n\n",
           rounds);
    report(lanes);
    record_reuse(lanes);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        if (lanes[i].present)
            worker_stop(&lanes[i].worker);
        samples_free(&lanes[i].time);
    }
}
