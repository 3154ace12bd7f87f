/* SPDX-License-Identifier: MIT
 *
 * Comparing the starts of processes, which proc(5) of Linux shows by time namespace (time_namespaces(7)).
 *
 * The clock since boot has an offset in each time namespace.  The kernel adds the offset of the reader's namespace to
 * each start that it shows.  A record contains the start that its writer saw.  A process in another time namespace sees
 * another number for the same process.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "owner/life.h"
#include "owner/proc.h"
#include "owner/proc_text.h"
#include "owner/process_start.h"
#include "system/file.h"

/* ---- One process ---------------------------------------------------------------------------- */

/* Looks at the number of threads too: the first thread of a process may end long before the others. */
bool flk_process_is_dead(const struct process_stat *stat)
{
    return (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
}

/* Starts may differ by this many clock ticks and be the same: start and offset are each rounded to ticks. */
#define MAX_ROUNDING 2

static int64_t tick_ns(void)
{
    return 1000000000 / sysconf(_SC_CLK_TCK);
}

/*
 * Returns a start in ticks, with its sign.  The kernel shows a start before the clock's zero as if the negative number
 * of ns had no sign.
 */
static int64_t signed_start(uint64_t start)
{
    uint64_t wraps = UINT64_MAX / (uint64_t) tick_ns();

    if (start > wraps)
        return INT64_MIN / 2;
    return start <= wraps / 2 ? (int64_t) start : (int64_t) start - (int64_t) wraps;
}

static bool is_start(uint64_t seen, int64_t ahead_ns, uint64_t told)
{
    int64_t difference = signed_start(told) - signed_start(seen) - ahead_ns / tick_ns();

    return difference >= -MAX_ROUNDING && difference <= MAX_ROUNDING;
}

/*
 * Reads how far the clock of a process's children is ahead.  The process's own clock is ahead as far, unless the
 * process has just left its time namespace.
 */
static bool read_offset(const char *process, int64_t *ns)
{
    char path[64], text[256];

    (void) snprintf(path, sizeof(path), "/proc/%s/timens_offsets", process);
    return flk_proc_read(path, text, sizeof(text)) && flk_proc_boottime_offset(text, ns);
}

static bool read_namespace(const char *process, char *link, size_t size)
{
    char path[64];
    ssize_t n;

    (void) snprintf(path, sizeof(path), "/proc/%s/ns/time", process);
    n = readlink(path, link, size - 1);
    link[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* True if a process has the same clock as this one.  If its time namespace is hidden, equal offsets are enough. */
static bool shares_clock(const char *process, bool same_offset)
{
    char ours[64], its[64];

    if (!read_namespace("self", ours, sizeof(ours)) || !read_namespace(process, its, sizeof(its)))
        return same_offset;
    return strcmp(ours, its) == 0;
}

/* Tries the initial time namespace too: the process may have begun there, and be in another by now. */
enum life flk_process_began_at(int64_t pid, const struct process_stat *stat, uint64_t start)
{
    int64_t ours, its;
    char process[24];

    if (stat->start == start)
        return LIFE_ALIVE;
    if (access("/proc/self/timens_offsets", F_OK) != 0 && errno == ENOENT)
        return LIFE_DEAD; /* this kernel has no time namespaces */
    (void) snprintf(process, sizeof(process), "%lld", (long long) pid);
    if (!read_offset("self", &ours) || !read_offset(process, &its))
        return LIFE_UNKNOWN;
    if ((ours != its && is_start(stat->start, its - ours, start)) || (ours != 0 && is_start(stat->start, -ours, start)))
        return LIFE_ALIVE;
    return shares_clock(process, ours == its) ? LIFE_DEAD : LIFE_UNKNOWN;
}

/* ---- All processes -------------------------------------------------------------------------- */

/*
 * Reads the pid that a process has in its own pid namespace.  Returns
 *   the pid
 *   0       its namespace does not lie within this one
 *   -errno
 */
static int64_t read_pid_within(const char *process)
{
    char path[64], line[256];
    int64_t pid = 0;
    FILE *status;

    (void) snprintf(path, sizeof(path), "/proc/%.24s/status", process);
    status = fopen(path, "re");
    if (status == NULL)
        return -errno;
    while (pid == 0 && fgets(line, sizeof(line), status) != NULL && strncmp(line, "NSsid:", 6) != 0)
        pid = flk_proc_innermost_pid(line);
    (void) fclose(status);
    return pid;
}

static enum life life_of(const char *process, int64_t pid, uint64_t start)
{
    int64_t here = strtoll(process, NULL, 10), within = read_pid_within(process);
    struct process_stat stat;

    if (within < 0)
        return flk_error_no_resources((int) within) ? LIFE_UNKNOWN : LIFE_DEAD;
    if (within != pid || !flk_proc_read_stat(here, &stat) || flk_process_is_dead(&stat))
        return LIFE_DEAD;
    return flk_process_began_at(here, &stat, start);
}

enum life flk_process_search_within(int64_t pid, uint64_t start, int64_t *here)
{
    DIR *processes = opendir("/proc");
    enum life life = LIFE_DEAD;
    struct dirent *entry;

    if (processes == NULL)
        return LIFE_UNKNOWN;
    while (life != LIFE_ALIVE && (entry = readdir(processes)) != NULL) {
        enum life found = flk_proc_is_number(entry->d_name) ? life_of(entry->d_name, pid, start) : LIFE_DEAD;

        if (found != LIFE_DEAD)
            life = found;
        if (found == LIFE_ALIVE)
            *here = strtoll(entry->d_name, NULL, 10);
    }
    (void) closedir(processes);
    return life;
}
