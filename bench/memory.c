/* SPDX-License-Identifier: MIT
 *
 * memory.c - measures how much of the heap a handle takes that is not in use
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct row rows[] = {
    { .label = "libfilelock flock", .subject = "flock", .goal = 400 },
    { .label = "libfilelock OFD", .subject = "ofd", .goal = 400 },
    { .label = "libfilelock soft", .subject = "soft", .goal = 400 },
    { .label = "Boost (keeps no path)", .subject = "Boost" },
    { .label = "Qt QLockFile", .subject = "Qt" },
};

enum { ROWS = sizeof rows / sizeof *rows, HANDLES = 1000 };

/* Returns the bytes of a handle, together with its copy of the path if it keeps one. */
static double measure(const struct subject *subject, const char *path)
{
    struct worker worker;
    int64_t answer;

    worker_start(&worker, subject, path);
    worker_ask(&worker, "cycle 1 0");
    worker_answer(&worker, &answer, 1);
    worker_ask(&worker, "memory %d", HANDLES);
    worker_answer(&worker, &answer, 1);
    worker_stop(&worker);
    scratch_disperse(path, HANDLES);
    return answer < 0 ? NAN : (double) answer / HANDLES;
}

void scenario_memory(const struct settings *settings)
{
    struct table table;
    char path[4096], what[TABLE_CELL];

    table_begin(&table, "handle at rest|bytes|less its path");
    for (size_t i = 0; i < ROWS; i++) {
        const struct subject *subject = subject_find(rows[i].subject);

        if (!subject)
            continue;
        scratch_path(settings, path, sizeof path);
        double bytes = measure(subject, path), rest = bytes - (double) (strlen(path) + sizeof ".00000");
        table_cell(&table, "%s", rows[i].label);
        table_cell(&table, isnan(bytes) ? "-" : "%.0f", bytes);
        table_cell(&table, isnan(rest) || rows[i].goal == 0 ? "-" : "%.0f", rest);
        snprintf(what, sizeof what, "memory, bytes: %s", rows[i].label);
        if (rows[i].goal > 0)
            goal_at_most(what, rest, rows[i].goal);
    }
    printf("## Memory\n\n"
           "Heap of each of %d handles that were acquired and released once, with malloc's own overhead.\n\n",
           HANDLES);
    table_print(&table);
    rows_print_absent(rows, ROWS);
}
