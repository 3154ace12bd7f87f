/* SPDX-License-Identifier: MIT
 *
 * under_way.c - measures a thousand attempts that are under way in one process, on files that another process holds
 */
#include <config.h>

#include "row.h"
#include "scenario.h"
#include "worker.h"

#include <filelock.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MB = 1000000, MAX_MB = 25, MAX_BEGIN_US = 50, MAX_GRANTED_MS = 1000, SETTLE_NS = 1000000000 };

/* An attempt has a file and a waitable, a helper thread of its own at most, and all of them share a few descriptors. */
enum { DESCRIPTORS_EACH = 4 };

/* ---- The workers ---------------------------------------------------------------------------- */

/* A process that holds the locks, or has attempts under way on them. */
struct crowd {
    int kind;
    const char *path;
    size_t count;
    struct filelock **locks;
};

static struct filelock *new_handle(const struct crowd *crowd, size_t number)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    char path[4096];

    options.kind = crowd->kind;
    scratch_crowd(crowd->path, number, path, sizeof path);
    if (filelock_new(&lock, path, &options) != 0)
        die("no handle for %s", path);
    return lock;
}

static void make_handles(struct crowd *crowd, size_t count)
{
    crowd->count = count;
    crowd->locks = allocate(count, sizeof(*crowd->locks));
    for (size_t i = 0; i < count; i++)
        crowd->locks[i] = new_handle(crowd, i);
}

static void free_handles(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        filelock_free(crowd->locks[i]);
    free(crowd->locks);
}

/* Returns the bytes of this process that are in memory, or -1 where that cannot be known. */
static int64_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    int64_t pages = -1;

    if (!file)
        return -1;
    if (fscanf(file, "%*d %" SCNd64, &pages) != 1)
        pages = -1;
    fclose(file);
    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

static void hold(const struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        if (filelock_acquire(crowd->locks[i], FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
            die("cannot acquire %s", filelock_path(crowd->locks[i]));
    printf("0\n");
}

static void let_go(const struct crowd *crowd)
{
    int64_t stamp = now_ns();

    for (size_t i = 0; i < crowd->count; i++)
        filelock_release(crowd->locks[i]);
    printf("%" PRId64 "\n", stamp);
}

/* Answers the time that the calls took, and how much memory was taken since, when all of them wait. */
static void begin(const struct crowd *crowd)
{
    int64_t before = resident(), began = now_ns(), took, after;

    for (size_t i = 0; i < crowd->count; i++)
        if (filelock_acquire_begin(crowd->locks[i], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) != -EINPROGRESS)
            die("nothing is under way for %s", filelock_path(crowd->locks[i]));
    took = now_ns() - began;
    sleep_ns(SETTLE_NS);
    after = resident();
    printf("%" PRId64 " %" PRId64 "\n", took, before < 0 || after < 0 ? -1 : after - before);
}

/* Answers when the last lock was granted. */
static void finish(const struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        struct pollfd ready = { .fd = filelock_acquire_waitable(crowd->locks[i]), .events = POLLIN };

        while (poll(&ready, 1, -1) < 0 && errno == EINTR)
            ;
        if (filelock_acquire_finish(crowd->locks[i]) != 0)
            die("%s was not granted", filelock_path(crowd->locks[i]));
    }
    printf("%" PRId64 "\n", now_ns());
}

/*
 * Carries out one letter a line:
 *   h   hold all locks          -> 0
 *   r   release them            -> stamp, before the first
 *   b   begin to acquire them   -> time for all calls, bytes of memory more
 *   f   finish                  -> stamp, after the last
 */
static void serve(const struct subject *subject, const char *path)
{
    struct crowd crowd = { .kind = *(const int *) subject->variant, .path = path };
    char line[256];
    long count;

    if (!fgets(line, sizeof line, stdin) || (count = strtol(line, NULL, 10)) <= 0)
        die("no number of locks");
    make_handles(&crowd, (size_t) count);
    while (fgets(line, sizeof line, stdin)) {
        (*line == 'h' ? hold : *line == 'r' ? let_go : *line == 'b' ? begin : finish)(&crowd);
        fflush(stdout);
    }
    free_handles(&crowd);
}

/* ---- The scenario --------------------------------------------------------------------------- */

static const int flock_kind = FILELOCK_KIND_FLOCK, ofd_kind = FILELOCK_KIND_OFD, soft_kind = FILELOCK_KIND_SOFT;

static const struct subject subjects[] = {
    { "libfilelock flock", NULL, NULL, NULL, NULL, &flock_kind, serve, NULL },
    { "libfilelock OFD", NULL, NULL, NULL, NULL, &ofd_kind, serve, NULL },
    { "libfilelock soft", NULL, NULL, NULL, NULL, &soft_kind, serve, NULL },
};

enum { LANES = sizeof subjects / sizeof *subjects };

struct lane {
    struct samples memory, begin, granted;
};

static int is_present(size_t lane)
{
    return filelock_supported(*(const int *) subjects[lane].variant);
}

static void run_once(struct lane *lane, const struct subject *subject, const char *path, long count)
{
    struct worker holder, waiter;
    int64_t ready, begun[2], released, granted;

    worker_start(&holder, subject, path);
    worker_ask(&holder, "%ld", count);
    worker_ask(&holder, "h");
    worker_answer(&holder, &ready, 1);
    worker_start(&waiter, subject, path);
    worker_ask(&waiter, "%ld", count);
    worker_ask(&waiter, "b");
    worker_answer(&waiter, begun, 2);
    worker_ask(&waiter, "f");
    worker_ask(&holder, "r");
    worker_answer(&holder, &released, 1);
    worker_answer(&waiter, &granted, 1);
    worker_stop(&waiter);
    worker_stop(&holder);
    samples_add(&lane->begin, (double) begun[0] / (double) count);
    samples_add(&lane->memory, begun[1] < 0 ? NAN : (double) begun[1] / MB);
    samples_add(&lane->granted, (double) (granted - released));
}

static void record_goals(const struct lane *lane, const char *name)
{
    char what[TABLE_CELL];

    snprintf(what, sizeof what, "under way, MB: %s", name);
    goal_at_most(what, samples_median(&lane->memory), MAX_MB);
    snprintf(what, sizeof what, "under way, us to begin each: %s", name);
    goal_at_most(what, samples_median(&lane->begin) / 1000, MAX_BEGIN_US);
    snprintf(what, sizeof what, "under way, ms until all are granted: %s", name);
    goal_at_most(what, samples_median(&lane->granted) / 1000000, MAX_GRANTED_MS);
}

static void report(const struct lane *lanes)
{
    struct table table;

    table_begin(&table, "attempts under way|memory, MB|begin each|until all are granted");
    for (size_t i = 0; i < LANES; i++) {
        if (!is_present(i))
            continue;
        table_cell(&table, "%s", subjects[i].name);
        table_cell(&table, "%.1f", samples_median(&lanes[i].memory));
        table_time(&table, samples_median(&lanes[i].begin));
        table_time(&table, samples_median(&lanes[i].granted));
        record_goals(&lanes[i], subjects[i].name);
    }
    table_print(&table);
}

void scenario_under_way(const struct settings *settings)
{
    long rounds = settings_choose(settings, 5, 1), count = allowed_by_descriptors(1000, DESCRIPTORS_EACH);
    static struct lane lanes[LANES];
    char path[4096];

    scratch_path(settings, path, sizeof path);
    for (long round = 0; round < rounds; round++)
        for (size_t i = 0; i < LANES; i++) {
            size_t at = row_turn(LANES, round, i);

            if (is_present(at))
                run_once(&lanes[at], &subjects[at], path, count);
            scratch_disperse(path, (size_t) count); /* files of one kind are not another's */
        }
    printf("## Attempts under way\n\n"
           "%ld rounds: one process begins to acquire %ld locks that another process holds, and waits for all of\n"
           "them. The memory is what is resident more when all of them wait. The other process then releases them.\n\n",
           rounds, count);
    report(lanes);
    for (size_t i = 0; i < LANES; i++) {
        samples_free(&lanes[i].memory);
        samples_free(&lanes[i].begin);
        samples_free(&lanes[i].granted);
    }
}
