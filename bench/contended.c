/* SPDX-License-Identifier: MIT
 *
 * contended.c - measures several processes that all want one lock all the time
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
#define FAIR .share_goal = 0.8, .worst_goal = 3

static const struct row rows[] = {
    { .label = FLOCK, .subject = "raw flock", FOREVER, .floor = FLOCK },
    { .label = OFD, .subject = "raw ofd", FOREVER, .floor = OFD },
    { .label = "libfilelock flock, 10 s", .subject = "flock", WAIT, .floor = FLOCK, .goal = 0.95 },
    { .label = "libfilelock flock, for ever", .subject = "flock", FOREVER, .floor = FLOCK, .goal = 0.95 },
    { .label = "libfilelock OFD, 10 s", .subject = "ofd", WAIT, .floor = OFD, .goal = 0.95 },
    { .label = "libfilelock soft, 10 s", .subject = "soft", WAIT, .floor = FLOCK, FAIR },
    { .label = "libfilelock soft, for ever", .subject = "soft", FOREVER, .floor = FLOCK, FAIR },
    { .label = "flock(1) -w 10 FD", .subject = "flock(1) FD", WAIT, .floor = FLOCK },
    { .label = "filelock(1) -w 10 FD", .subject = "filelock(1) FD", WAIT, .floor = FLOCK },
    { .label = "Boost timed_lock", .subject = "Boost", WAIT, .floor = OFD },
    { .label = "Python filelock, 2 s", .subject = "Python", 2000, .floor = FLOCK, .every = 2 },
    { .label = "Python SoftFileLock, 2 s", .subject = "Python soft", 2000, .floor = FLOCK, .every = 2 },
    { .label = "Qt QLockFile, 2 s", .subject = "Qt", 2000, .floor = FLOCK, .every = 2 },
    { .label = "liblockfile, 10 s", .subject = "liblockfile", WAIT, .floor = FLOCK, .every = 5, .slow = 1 },
};

enum { ROWS = sizeof rows / sizeof *rows, CONTENDERS = 8 };
/*
 * ns: a contender sleeps for HOLD with the lock, then for 0 to 2 * PAUSE without it; all start LEAD after they are
 * told.
 */
static const int64_t HOLD = 1000000, PAUSE = 1000000, LEAD = 5000000;

struct lane {
    struct worker worker[CONTENDERS];
    int present;
    struct samples rate, fairness, worst, cpu;
    int64_t failed;
};

static void run_once(struct lane *lane, const struct row *row, int64_t length)
{
    int64_t start = now_ns() + LEAD, total = 0, least = INT64_MAX, most = 0, worst = 0, cpu = 0;

    for (int i = 0; i < CONTENDERS; i++)
        worker_ask(&lane->worker[i], "contend %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                   start, start + length, HOLD, PAUSE, row->timeout_ms, (start + i) & INT32_MAX);
    for (int i = 0; i < CONTENDERS; i++) {
        int64_t got[4];

        worker_answer(&lane->worker[i], got, 4);
        total += got[0];
        least = got[0] < least ? got[0] : least;
        most = got[0] > most ? got[0] : most;
        worst = got[1] > worst ? got[1] : worst;
        cpu += got[2];
        lane->failed += got[3];
    }
    samples_add(&lane->rate, (double) total * 1e9 / (double) length);
    samples_add(&lane->fairness, (double) least / (double) most);
    samples_add(&lane->worst, (double) worst);
    samples_add(&lane->cpu, (double) cpu / (double) total);
}

/* Notes a round in which the row does not run. */
static void add_nothing(struct lane *lane)
{
    samples_add(&lane->rate, NAN);
    samples_add(&lane->fairness, NAN);
    samples_add(&lane->worst, NAN);
    samples_add(&lane->cpu, NAN);
}

static void run_round(struct lane *lanes, long round, int64_t length)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t at = row_turn(ROWS, round, i);

        if (lanes[at].present && row_due(&rows[at], round))
            run_once(&lanes[at], &rows[at], length);
        else
            add_nothing(&lanes[at]);
    }
}

static void record_goals(const struct lane *lane, const struct lane *floor, const struct row *row)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "contended, throughput: %s / raw", row->label);
    goal_at_least(what, samples_ratio(&lane->rate, &floor->rate), row->goal);
    snprintf(what, sizeof what, "contended, fairness: %s / raw", row->label);
    goal_at_least(what, samples_median(&lane->fairness) / samples_median(&floor->fairness), row->goal);
    snprintf(what, sizeof what, "contended, worst wait: %s / raw", row->label);
    goal_at_most(what, samples_median(&lane->worst) / samples_median(&floor->worst), 2);
}

static void record_share_goals(const struct lane *lane, const struct lane *floor, const struct row *row)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "contended, least / most served: %s", row->label);
    goal_at_least(what, samples_median(&lane->fairness), row->share_goal);
    snprintf(what, sizeof what, "contended, worst wait: %s / raw", row->label);
    goal_at_most(what, samples_median(&lane->worst) / samples_median(&floor->worst), row->worst_goal);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "8 processes|acquired per s|of its floor|least / most served|worst wait|CPU each|timed out");
    for (size_t i = 0; i < ROWS; i++) {
        const struct lane *lane = &lanes[i];
        size_t floor = row_find(rows, ROWS, rows[i].floor);

        if (!lane->present)
            continue;
        table_cell(&table, "%s", rows[i].label);
        table_cell(&table, "%.0f", samples_median(&lane->rate));
        table_ratio(&table, floor < ROWS ? samples_ratio(&lane->rate, &lanes[floor].rate) : NAN);
        table_ratio(&table, samples_median(&lane->fairness));
        table_time(&table, samples_median(&lane->worst));
        table_time(&table, samples_median(&lane->cpu));
        table_cell(&table, "%" PRId64, lane->failed);
        if (rows[i].goal > 0 && floor < ROWS)
            record_goals(lane, &lanes[floor], &rows[i]);
        if (rows[i].share_goal > 0 && floor < ROWS)
            record_share_goals(lane, &lanes[floor], &rows[i]);
    }
    table_print(&table);
}

static void lane_end(struct lane *lane)
{
    for (int i = 0; lane->present && i < CONTENDERS; i++)
        worker_stop(&lane->worker[i]);
    samples_free(&lane->rate);
    samples_free(&lane->fairness);
    samples_free(&lane->worst);
    samples_free(&lane->cpu);
}

void scenario_contended(const struct settings *settings)
{
    long rounds = settings_choose(settings, 5, 1), length_ms = settings_choose(settings, 1000, 200);
    static struct lane lanes[ROWS];
    char path[4096];

    for (size_t i = 0; i < ROWS; i++) {
        const struct subject *subject = row_subject(&rows[i], settings);

        scratch_path(settings, path, sizeof path);
        lanes[i].present = subject != NULL;
        for (int j = 0; subject && j < CONTENDERS; j++)
            worker_start(&lanes[i].worker[j], subject, path);
    }
    for (long round = 0; round < rounds; round++)
        run_round(lanes, round, (int64_t) length_ms * 1000000);
    printf("## Contended\n\n"
           "%ld rounds of %ld ms (Python and Qt: every other; liblockfile: one); %d processes acquire, hold\n"
           "(sleep) for 1 ms, release, pause for 0 to 2 ms. Medians of the rounds, but for the acquires that\n"
           "timed out, which are counted in all of them.\n\n",
           rounds, length_ms, CONTENDERS);
    report(lanes);
    rows_print_absent(rows, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        lane_end(&lanes[i]);
}
