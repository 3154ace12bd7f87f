/* SPDX-License-Identifier: MIT
 *
 * many.c - thousands of locks held at once by one process
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <sys/resource.h>

#define FLOCK "raw open, flock, fstat; unlock"
#define OFD "raw open, OFD lock, fstat; unlock"

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock, first", .floor = FLOCK },
    { .label = OFD, .subject = "raw ofd, first", .floor = OFD },
    { .label = "libfilelock flock, 10 s", .subject = "flock", WAIT, .floor = FLOCK },
    { .label = "libfilelock OFD, 10 s", .subject = "ofd", WAIT, .floor = OFD },
    { .label = "libbsd flopen; close", .subject = "libbsd", .floor = FLOCK },
    { .label = "Python filelock", .subject = "Python", WAIT, .floor = FLOCK },
};

enum { ROWS = sizeof rows / sizeof *rows, SPARE = 64 };

struct lane {
    struct samples acquire, release;
};

/* Returns how many handles this process can have descriptors for: `wanted` at most. */
static long handles(long wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t) (wanted + SPARE))
        wanted = (long) limit.rlim_cur - SPARE;
    return wanted;
}

static void run_once(struct lane *lane, const struct row *row, const char *path, long count)
{
    const struct subject *subject = subject_find(row->subject);
    struct worker worker;
    int64_t got[2];

    if (!subject)
        return;
    worker_start(&worker, subject, path);
    worker_ask(&worker, "many %ld %d", count, (int) row->timeout_ms);
    worker_answer(&worker, got, 2);
    worker_stop(&worker);
    samples_add(&lane->acquire, (double) got[0] / (double) count);
    samples_add(&lane->release, (double) got[1] / (double) count);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "all at once|acquire each|of its floor|release each|of its floor");
    for (size_t i = 0; i < ROWS; i++) {
        size_t floor = row_find(rows, ROWS, rows[i].floor);

        if (lanes[i].acquire.count == 0)
            continue;
        table_cell(&table, "%s", rows[i].label);
        table_time(&table, samples_median(&lanes[i].acquire));
        table_ratio(&table, floor < ROWS ? samples_ratio(&lanes[i].acquire, &lanes[floor].acquire) : NAN);
        table_time(&table, samples_median(&lanes[i].release));
        table_ratio(&table, floor < ROWS ? samples_ratio(&lanes[i].release, &lanes[floor].release) : NAN);
    }
    table_print(&table);
}

void scenario_many(const struct settings *settings)
{
    long rounds = settings_choose(settings, 5, 1), count = handles(settings_choose(settings, 10000, 2000));
    static struct lane lanes[ROWS];
    char path[4096];

    scratch_path(settings, path, sizeof path);
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < ROWS; i++) {
            size_t at = row_turn(ROWS, round, i);

            run_once(&lanes[at], &rows[at], path, count);
        }
    scratch_disperse(path, (size_t) count);
    printf("## Many locks\n\n"
           "%ld rounds: one process acquires %ld locks by as many handles, on files that exist, then releases\n"
           "them all.\n\n",
           rounds, count);
    report(lanes);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        samples_free(&lanes[i].acquire);
        samples_free(&lanes[i].release);
    }
}
