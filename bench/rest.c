/* SPDX-License-Identifier: MIT
 *
 * rest.c - measures what handles that are not in use add to the cost of a thread's end, and of a fork
 */
#include <config.h>

#include "scenario.h"
#include "worker.h"

#include <inttypes.h>
#include <stdio.h>

#define SUBJECT "flock"
#define MAX_RATIO 1.5 /* not 1: thousands of handles take pages, and a fork has to copy their page table */

enum { THREADS = 100, FORKS = 20 };

static const struct {
    const char *label, *command;
    int count;
} deeds[] = {
    { "a thread that acquires, releases and ends", "ends", THREADS },
    { "a fork, and a child that ends at once", "forks", FORKS },
};

enum { DEEDS = sizeof deeds / sizeof *deeds };

/* A process with handles at rest: none, or many. */
struct lane {
    struct worker worker;
    struct samples time[DEEDS];
};

static void lane_start(struct lane *lane, const char *path, long handles)
{
    int64_t ready;

    worker_start(&lane->worker, subject_find(SUBJECT), path);
    worker_ask(&lane->worker, "rest %ld", handles);
    worker_answer(&lane->worker, &ready, 1);
}

static void run_once(struct lane *lane, size_t deed)
{
    int64_t time;

    worker_ask(&lane->worker, "%s %d", deeds[deed].command, deeds[deed].count);
    worker_answer(&lane->worker, &time, 1);
    samples_add(&lane->time[deed], (double) time / deeds[deed].count);
}

static void report(const struct lane lanes[2])
{
    struct table table;
    char what[TABLE_CELL];

    table_begin(&table, "beside handles at rest|none|many|ratio");
    for (size_t i = 0; i < DEEDS; i++) {
        double ratio = samples_ratio(&lanes[1].time[i], &lanes[0].time[i]);

        table_cell(&table, "%s", deeds[i].label);
        table_time(&table, samples_median(&lanes[0].time[i]));
        table_time(&table, samples_median(&lanes[1].time[i]));
        table_ratio(&table, ratio);
        snprintf(what, sizeof what, "at rest: %s, many / none", deeds[i].command);
        goal_at_most(what, ratio, MAX_RATIO);
    }
    table_print(&table);
}

void scenario_rest(const struct settings *settings)
{
    long rounds = settings_choose(settings, 50, 10), count = 10000;
    static struct lane lanes[2];
    char path[4096];

    if (!subject_find(SUBJECT))
        return;
    scratch_path(settings, path, sizeof path);
    lane_start(&lanes[0], path, 0);
    lane_start(&lanes[1], path, count);
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < 2; i++)
            for (size_t deed = 0; deed < DEEDS; deed++)
                run_once(&lanes[(i + (size_t) round) % 2], deed);
    for (size_t i = 0; i < 2; i++)
        worker_stop(&lanes[i].worker);
    printf("## Handles at rest\n\n"
           "%ld rounds: beside %ld handles that were never acquired, and beside none.\n\n",
           rounds, count);
    report(lanes);
    for (size_t i = 0; i < 2 * DEEDS; i++)
        samples_free(&lanes[i / DEEDS].time[i % DEEDS]);
}
