/* SPDX-License-Identifier: MIT
 *
 * row.h - a row of a scenario's table: which subject, how it is asked, what it is compared with
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
    const char *floor; /* label of the row that it is a multiple of */
    double goal;       /* the multiple to stay within; 0: none */
    double cpu_goal;   /* the ms of CPU for each second waited to stay within; 0: none */
    long every;        /* runs in every so many rounds; 0 and 1: in all */
    int slow;          /* takes seconds each time: not in the short form */
    const char *less;  /* label of a row whose time is taken off */
    int threads;       /* measured in a program that has another thread */
};

/* Whom to ask for the row; NULL if there is nobody, or it is not to be run. */
const struct subject *row_subject(const struct row *row, const struct settings *settings);
/* Whether the row runs in this round. */
int row_due(const struct row *row, long round);
/* The row of that label; `count` if the label is null or the row's subject is not here. */
size_t row_find(const struct row *rows, size_t count, const char *label);
/* The row to run as the i-th of a round: each round begins with another one. */
size_t row_turn(size_t count, long round, size_t i);
/* Says which of the rows have no subject on this system. */
void rows_print_absent(const struct row *rows, size_t count);

#endif
