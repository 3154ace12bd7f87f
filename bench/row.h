/* SPDX-License-Identifier: MIT
 *
 * row.h - a row of a scenario's table: its subject, its timeout, and the row that it is compared with
 */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include "harness.h"
#include "subject.h"

#include <stddef.h>

enum { FOREVER = -1, TRY = 0, WAIT = 10000 };

struct row {
    const char *label;
    const char *subject;
    int64_t timeout_ms;
    const char *floor; /* label of the row by which this row's time is divided */
    double goal;       /* the most that this ratio may be; 0: no goal */
    double cpu_goal;   /* the most ms of CPU for each second waited; 0: no goal */
    double share_goal; /* the least that least / most served may be; 0: no goal */
    double worst_goal; /* the most that the worst wait may be, as a multiple of the floor's; 0: no goal */
    long every;        /* runs once in so many rounds; 0 and 1: in all of them */
    int slow;          /* takes seconds each time: does not run in the short form */
    const char *less;  /* label of a row whose time is subtracted from this row's */
    int threads;       /* measured in a process that has another thread */
};

/* Returns the row's subject, or NULL: this system has none, or the row is not to be run. */
const struct subject *row_subject(const struct row *row, const struct settings *settings);
/* True if the row runs in this round. */
int row_due(const struct row *row, long round);
/* Returns the index of the row with that label, or `count`: the label is null, or this system lacks the subject. */
size_t row_find(const struct row *rows, size_t count, const char *label);
/* Returns the index of the row to run as the i-th of a round.  Each round begins with another row. */
size_t row_turn(size_t count, long round, size_t i);
/* Prints a list of the rows that have no subject on this system, if there are such rows. */
void rows_print_absent(const struct row *rows, size_t count);

#endif
