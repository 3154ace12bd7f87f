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

/* The settings of the command line. */
struct settings {
    int quick;
    char directory[4096 - 64]; /* the scratch directory; the program removes it at its end */
};

/* Returns `quick` in the short form, else `full`. */
long settings_choose(const struct settings *settings, long full, long quick);
/* Makes the path of a lock file for one row, in the scratch directory.  Rows do not share files: a subject must not
 * find what another has left.  All paths are equally long, because the length counts in the time of a look-up. */
void scratch_path(const struct settings *settings, char *path, size_t size);
/* Makes the path of one file of a crowd: many lock files whose names begin with `path`. */
void scratch_crowd(const char *path, size_t number, char *member, size_t size);
/* Removes the first `count` files of a crowd. */
void scratch_disperse(const char *path, size_t count);
/* Removes all scratch files that are not of crowds, and the directory. */
void scratch_remove(const struct settings *settings);

/* Writes a message, and ends the program with status 1. */
void die(const char *format, ...) BENCH_PRINTF(1, 2) BENCH_NORETURN;
void *allocate(size_t count, size_t size);
/* Returns how many items the limit of descriptors allows, if each needs `each` descriptors; `wanted` at most. */
long allowed_by_descriptors(long wanted, long each);

/* ---- Clocks --------------------------------------------------------------------------------- */

int64_t now_ns(void); /* CLOCK_MONOTONIC: all processes see the same time */
int64_t cpu_ns(void); /* CPU time of this process with all its threads, and of the children that it has waited for */
void sleep_ns(int64_t ns);
void sleep_until(int64_t at_ns);
/* Returns 0 to limit - 1.  The numbers are random enough to keep pollers out of step. */
int64_t random_below(uint64_t *state, int64_t limit);

/* ---- Samples -------------------------------------------------------------------------------- */

/* One sample for each round.  NaN: the row did not run in that round; such a sample does not count. */
struct samples {
    double *value;
    size_t count, room;
};

void samples_add(struct samples *samples, double value);
/* Returns a percentile of the samples, or NaN if none counts. */
double samples_percentile(const struct samples *samples, double percent);
double samples_median(const struct samples *samples);
/* Returns the median of the ratios: each sample is divided by the floor's sample of the same round. */
double samples_ratio(const struct samples *samples, const struct samples *floor);
void samples_free(struct samples *samples);

/* ---- Tables --------------------------------------------------------------------------------- */

enum { TABLE_COLUMNS = 8, TABLE_ROWS = 128, TABLE_CELL = 72 };

struct table {
    size_t columns, rows, column;
    char cell[TABLE_ROWS][TABLE_COLUMNS][TABLE_CELL];
};

/* Begins a table.  '|' separates the headings. */
void table_begin(struct table *table, const char *headings);
/* Writes the next cell: from left to right, and after the last column in the next row. */
void table_cell(struct table *table, const char *format, ...) BENCH_PRINTF(2, 3);
void table_time(struct table *table, double ns);
void table_ratio(struct table *table, double ratio);
/* Prints the table as Markdown that reads well as plain text, too. */
void table_print(const struct table *table);

/* ---- Goals ---------------------------------------------------------------------------------- */

/* Records a goal.  measured NaN: it could not be measured here. */
void goal_at_most(const char *what, double measured, double limit);
void goal_at_least(const char *what, double measured, double limit);
/* Prints a table of the goals.  Returns how many were missed. */
int goals_print(void);

#endif
