/* SPDX-License-Identifier: MIT
 *
 * harness.c - samples and their medians, clocks, tables and goals
 */
#include <config.h>

#include "harness.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

long settings_choose(const struct settings *settings, long full, long quick)
{
    return settings->quick ? quick : full;
}

static unsigned scratch_files;

void scratch_path(const struct settings *settings, char *path, size_t size)
{
    snprintf(path, size, "%s/%04u", settings->directory, scratch_files++);
}

void scratch_crowd(const char *path, size_t number, char *member, size_t size)
{
    snprintf(member, size, "%s.%05zu", path, number);
}

void scratch_disperse(const char *path, size_t count)
{
    char member[4096];

    for (size_t i = 0; i < count; i++) {
        scratch_crowd(path, i, member, sizeof member);
        unlink(member);
    }
}

void scratch_remove(const struct settings *settings)
{
    char path[4096];

    for (unsigned count = scratch_files; count > 0; count--) {
        scratch_files = count - 1;
        scratch_path(settings, path, sizeof path);
        unlink(path);
    }
    rmdir(settings->directory);
}

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fflush(stdout);
    fputs("filelock-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory)
        die("out of memory");
    return memory;
}

enum { SPARE_DESCRIPTORS = 64 };

long allowed_by_descriptors(long wanted, long each)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t) (wanted * each + SPARE_DESCRIPTORS))
        wanted = ((long) limit.rlim_cur - SPARE_DESCRIPTORS) / each;
    return wanted;
}

/* ---- Clocks --------------------------------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (int64_t) time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t cpu_ns(void)
{
    struct rusage children;

    getrusage(RUSAGE_CHILDREN, &children);
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) +
           ((int64_t) children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000000 +
           ((int64_t) children.ru_utime.tv_usec + children.ru_stime.tv_usec) * 1000;
}

void sleep_ns(int64_t ns)
{
    struct timespec left = { (time_t) (ns / 1000000000), (long) (ns % 1000000000) };

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

void sleep_until(int64_t at_ns)
{
    int64_t left = at_ns - now_ns();

    if (left > 0)
        sleep_ns(left);
}

int64_t random_below(uint64_t *state, int64_t limit)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t) ((*state >> 33) % (uint64_t) limit);
}

/* ---- Samples -------------------------------------------------------------------------------- */

void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        size_t room = samples->room ? 2 * samples->room : 64;
        double *grown = realloc(samples->value, room * sizeof *grown);

        if (!grown)
            die("out of memory");
        samples->value = grown;
        samples->room = room;
    }
    samples->value[samples->count++] = value;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *) left, b = *(const double *) right;

    return (a > b) - (a < b);
}

double samples_percentile(const struct samples *samples, double percent)
{
    double *sorted = allocate(samples->count + 1, sizeof *sorted);
    size_t count = 0;

    for (size_t i = 0; i < samples->count; i++)
        if (!isnan(samples->value[i]))
            sorted[count++] = samples->value[i];
    if (count == 0) {
        free(sorted);
        return NAN;
    }
    qsort(sorted, count, sizeof *sorted, ascending);
    double at = percent / 100 * (double) (count - 1);
    size_t below = (size_t) at, above = below + 1 < count ? below + 1 : below;
    double value = sorted[below] + (at - (double) below) * (sorted[above] - sorted[below]);
    free(sorted);
    return value;
}

double samples_median(const struct samples *samples)
{
    return samples_percentile(samples, 50);
}

double samples_ratio(const struct samples *samples, const struct samples *floor)
{
    struct samples ratios = { 0 };

    for (size_t i = 0; i < samples->count && i < floor->count; i++)
        samples_add(&ratios, samples->value[i] / floor->value[i]);
    double median = samples_median(&ratios);
    samples_free(&ratios);
    return median;
}

void samples_free(struct samples *samples)
{
    free(samples->value);
    memset(samples, 0, sizeof *samples);
}

/* ---- Tables --------------------------------------------------------------------------------- */

void table_begin(struct table *table, const char *headings)
{
    memset(table, 0, sizeof *table);
    for (const char *at = headings; *at; table->columns++) {
        size_t length = strcspn(at, "|");

        snprintf(table->cell[0][table->columns], TABLE_CELL, "%.*s", (int) length, at);
        at += length + (at[length] == '|');
    }
    table->rows = 1;
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list arguments;

    if (table->rows == TABLE_ROWS)
        die("a table of more than %d rows", TABLE_ROWS);
    va_start(arguments, format);
    vsnprintf(table->cell[table->rows][table->column], TABLE_CELL, format, arguments);
    va_end(arguments);
    if (++table->column == table->columns) {
        table->column = 0;
        table->rows++;
    }
}

/* Writes a time with three digits, in the unit that leaves one to three of them before the point. */
void table_time(struct table *table, double ns)
{
    static const char *const units[] = { "ns", "us", "ms", "s" };
    double value = ns;
    size_t unit = 0;

    while (fabs(value) >= 999.5 && unit < 3) {
        value /= 1000;
        unit++;
    }
    int decimals = unit == 0 || fabs(value) >= 99.95 ? 0 : fabs(value) >= 9.995 ? 1 : 2;
    if (isnan(ns))
        table_cell(table, "-");
    else
        table_cell(table, "%.*f %s", decimals, value, units[unit]);
}

void table_ratio(struct table *table, double ratio)
{
    if (isnan(ratio))
        table_cell(table, "-");
    else
        table_cell(table, ratio < 9.995 ? "%.2f" : ratio < 99.95 ? "%.1f" : "%.0f", ratio);
}

void table_print(const struct table *table)
{
    int width[TABLE_COLUMNS] = { 0 };

    for (size_t row = 0; row < table->rows; row++)
        for (size_t column = 0; column < table->columns; column++) {
            int length = (int) strlen(table->cell[row][column]);

            if (length > width[column])
                width[column] = length;
        }
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t column = 0; column < table->columns; column++)
            printf(column == 0 ? "| %-*s " : "| %*s ", width[column], table->cell[row][column]);
        printf("|\n");
        for (size_t column = 0; row == 0 && column < table->columns; column++)
            printf("|%s%.*s%s", column == 0 ? ":" : "-", width[column],
                   "------------------------------------------------------------------------", column == 0 ? "-" : ":");
        printf(row == 0 ? "|\n" : "");
    }
    printf("\n");
    fflush(stdout);
}

/* ---- Goals ---------------------------------------------------------------------------------- */

static struct table goals;
static int goals_missed;

static void goal(const char *what, double measured, const char *relation, double limit, int reached)
{
    if (goals.columns == 0)
        table_begin(&goals, "goal|to be|measured|verdict");
    table_cell(&goals, "%s", what);
    table_cell(&goals, "%s %g", relation, limit);
    table_ratio(&goals, measured);
    table_cell(&goals, isnan(measured) ? "not measured" : reached ? "reached" : "MISSED");
    goals_missed += !isnan(measured) && !reached;
}

void goal_at_most(const char *what, double measured, double limit)
{
    goal(what, measured, "<=", limit, measured <= limit);
}

void goal_at_least(const char *what, double measured, double limit)
{
    goal(what, measured, ">=", limit, measured >= limit);
}

int goals_print(void)
{
    if (goals.columns == 0)
        return 0;
    printf("## Goals\n\n");
    table_print(&goals);
    return goals_missed;
}
