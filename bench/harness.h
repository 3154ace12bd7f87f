/* SPDX-License-Identifier: MIT
 *
 * harness.h - samples and their medians, clocks, tables and goals
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define BENCH_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define BENCH_NORETURN __attribute__((noreturn))
#else
#define BENCH_PRINTF(text, first)
#define BENCH_NORETURN
#endif

/* What the command line asked for. */
struct settings {
    int quick;
    char directory[4096 - 64]; /* a scratch directory, which is removed at the end */
};

/* The full form's number, or the short form's. */
long settings_choose(const struct settings *settings, long full, long quick);
/* A lock file of its own for a row, in the scratch directory: what one subject leaves behind must not be
 * another's.  All paths are equally long, for looking them up takes time. */
void scratch_path(const struct settings *settings, char *path, size_t size);
/* One of the many lock files of a crowd, whose names begin with that path; removes `count` of them. */
void scratch_crowd(const char *path, size_t number, char *member, size_t size);
void scratch_disperse(const char *path, size_t count);
/* Removes all but crowds, and the directory. */
void scratch_remove(const struct settings *settings);

/* Writes why, and ends the program with status 1. */
void die(const char *format, ...) BENCH_PRINTF(1, 2) BENCH_NORETURN;
void *allocate(size_t count, size_t size);

/* ---- Clocks --------------------------------------------------------------------------------- */

int64_t now_ns(void); /* CLOCK_MONOTONIC, the same for every process */
int64_t cpu_ns(void); /* of this process, all its threads, and the children it has waited for */
void sleep_ns(int64_t ns);
void sleep_until(int64_t at_ns);
/* 0 to limit - 1; good enough to keep pollers out of step. */
int64_t random_below(uint64_t *state, int64_t limit);

/* ---- Samples -------------------------------------------------------------------------------- */

/* One a round: NaN for a round that the row sat out, which counts for nothing. */
struct samples {
    double *value;
    size_t count, room;
};

void samples_add(struct samples *samples, double value);
/* NaN where there is none. */
double samples_percentile(const struct samples *samples, double percent);
double samples_median(const struct samples *samples);
/* The median of one by the other, pair by pair in the order of adding. */
double samples_ratio(const struct samples *samples, const struct samples *floor);
void samples_free(struct samples *samples);

/* ---- Tables --------------------------------------------------------------------------------- */

enum { TABLE_COLUMNS = 8, TABLE_ROWS = 64, TABLE_CELL = 72 };

struct table {
    size_t columns, rows, column;
    char cell[TABLE_ROWS][TABLE_COLUMNS][TABLE_CELL];
};

/* Headings, separated by '|'. */
void table_begin(struct table *table, const char *headings);
/* The next cell, from left to right; the row after the last column. */
void table_cell(struct table *table, const char *format, ...) BENCH_PRINTF(2, 3);
void table_time(struct table *table, double ns);
void table_ratio(struct table *table, double ratio);
/* Prints it as Markdown that reads well as plain text too. */
void table_print(const struct table *table);

/* ---- Goals ---------------------------------------------------------------------------------- */

/* NaN is a goal that could not be measured here. */
void goal_at_most(const char *what, double measured, double limit);
void goal_at_least(const char *what, double measured, double limit);
/* Prints the table of them; the number that were missed. */
int goals_print(void);

#endif
