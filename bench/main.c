/* SPDX-License-Identifier: MIT
 *
 * main.c - reads the command line, describes the machine, runs the scenarios
 */
#include <config.h>

#include "scenario.h"

#include <filelock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/*
 * All scenarios, in the order in which they run.  ext4 takes long to make a file in a directory where thousands were
 * deleted within the last minutes.  So the scenarios that delete most come last.
 */
static const struct scenario {
    const char *name;
    void (*run)(const struct settings *settings);
} scenarios[] = {
    { "handoff", scenario_handoff },     { "kill", scenario_kill },
    { "contended", scenario_contended }, { "uncontended", scenario_uncontended },
    { "memory", scenario_memory },       { "rest", scenario_rest },
    { "underway", scenario_under_way },  { "deadlines", scenario_deadlines },
    { "etcd", scenario_etcd },           { "many", scenario_many },
    { "drain", scenario_drain },
};

enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

static struct settings settings;
static pid_t parent;

/* ---- The scratch directory ------------------------------------------------------------------ */

/* Removes the scratch directory at exit; but not in workers, which run this too. */
static void clean_up(void)
{
    if (getpid() == parent)
        scratch_remove(&settings);
}

static void make_scratch(const char *where)
{
    parent = getpid();
    if ((size_t) snprintf(settings.directory, sizeof settings.directory, "%s/flk.XXXXXX", where) >=
            sizeof settings.directory ||
        !mkdtemp(settings.directory))
        die("cannot make a scratch directory in %s", where);
    atexit(clean_up);
}

/* ---- The machine ---------------------------------------------------------------------------- */

/* Reads what follows the colon in the first line that begins with `field`, or "" if there is no such line. */
static void read_field(const char *path, const char *field, char *value, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[1024];

    *value = '\0';
    while (file && !*value && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0 && strchr(line, ':'))
            snprintf(value, size, "%s", strchr(line, ':') + 2);
    value[strcspn(value, "\n")] = '\0';
    if (file)
        fclose(file);
}

static void print_head(void)
{
    time_t now = time(NULL);
    struct utsname system;
    struct tm date;
    char text[64], processor[256];

    uname(&system);
    gmtime_r(&now, &date);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &date);
    read_field("/proc/cpuinfo", "model name", processor, sizeof processor);
    printf("# libfilelock %s, %s form\n\n", filelock_version(), settings.quick ? "short" : "full");
    printf("- machine: %s, %ld of %s\n", system.machine, sysconf(_SC_NPROCESSORS_ONLN),
           *processor ? processor : "unknown processors");
    printf("- kernel: %s %s\n- date: %s\n- lock files: %s\n\n", system.sysname, system.release, text,
           settings.directory);
}

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- The command line ----------------------------------------------------------------------- */

static void usage(FILE *to)
{
    fprintf(to, "usage: filelock-bench [--quick] [--strict] [--directory=DIR] [SCENARIO...]\n"
                "  --quick          about 20 s, for a first look; the full form takes about 4 minutes\n"
                "  --strict         exit 1 when a goal was missed\n"
                "  --directory=DIR  put the lock files there (TMPDIR or /tmp)\n"
                "scenarios:");
    for (size_t i = 0; i < SCENARIOS; i++)
        fprintf(to, " %s", scenarios[i].name);
    fprintf(to, "\n");
}

static void run(const char *name)
{
    for (size_t i = 0; i < SCENARIOS; i++)
        if (strcmp(scenarios[i].name, name) == 0) {
            scenarios[i].run(&settings);
            return;
        }
    die("no scenario is called %s", name);
}

int main(int argc, char **argv)
{
    const char *directory = getenv("TMPDIR");
    int at, strict = 0;

    for (at = 1; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--quick") == 0)
            settings.quick = 1;
        else if (strcmp(argv[at], "--strict") == 0)
            strict = 1;
        else if (strncmp(argv[at], "--directory=", 12) == 0)
            directory = argv[at] + 12;
        else {
            int asked = strcmp(argv[at], "--help") == 0;
            usage(asked ? stdout : stderr);
            return asked ? 0 : 64;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    make_scratch(directory && *directory ? directory : "/tmp");
    print_head();
    if (at == argc)
        for (size_t i = 0; i < SCENARIOS; i++)
            scenarios[i].run(&settings);
    for (; at < argc; at++)
        run(argv[at]);
    return goals_print() > 0 && strict;
}
