/* SPDX-License-Identifier: MIT
 *
 * storm.c - processes that fight for one soft lock and are killed at any moment.
 *
 * The holder says in shared memory that it holds the lock, by exchanging a pid.  The holder before it must have said
 * that it left, or be dead.
 */
#include "storm.h"

#include "markers.h"
#include "posix.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define MOST 32

struct scene {
    int64_t holder; /* pid; 0: there is none */
    int64_t overlaps, takeovers, acquired, errors;
    int error; /* the last one */
    int stop;
};

static struct scene *scene;
static pid_t pids[MOST];

void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    return memory;
}

/* A process whose first thread has ended may run on in other threads.  A sanitizer's thread counts too. */
int process_runs(int64_t pid)
{
    char path[64], text[512], state = 'X';
    long threads = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long) pid);
    if (read_file(path, text, sizeof text) <= 0)
        return kill((pid_t) pid, 0) == 0;
    sscanf(strrchr(text, ')') + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld", &state,
           &threads);
    return !strchr("ZX", state) || threads > 1;
}

/* ---- The processes that fight ------------------------------------------------------------------- */

uint32_t chance(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

void nap_us(unsigned us)
{
    struct timespec nap = { 0, (long) us * 1000 };
    nanosleep(&nap, NULL);
}

static void count(int64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static int64_t read_counter(const int64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void enter(int64_t self)
{
    int64_t before = __atomic_exchange_n(&scene->holder, self, __ATOMIC_SEQ_CST);
    count(&scene->acquired);
    if (before)
        count(process_runs(before) ? &scene->overlaps : &scene->takeovers);
}

static void leave(int64_t self)
{
    if (!__atomic_compare_exchange_n(&scene->holder, &self, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        count(&scene->overlaps);
}

/* Holds the lock in one of several ways of being busy: often for no time at all. */
static void hold(uint32_t *random, int64_t self)
{
    int64_t end = now_ns() + chance(random, 50000);
    switch (chance(random, 4)) {
    case 0:
    case 1:
        nap_us(chance(random, 200));
        break;
    case 2:
        while (now_ns() < end && read_counter(&scene->holder) == self)
            ;
        break;
    }
}

static void failed(int error)
{
    __atomic_store_n(&scene->error, error, __ATOMIC_SEQ_CST);
    count(&scene->errors);
}

/* Calls nothing of Check: a child would write its notes into its parent's. */
static void fight(const struct storm *storm)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    static const int64_t timeouts[] = { FILELOCK_FOREVER, 100, FILELOCK_TRY, FILELOCK_FOREVER };
    int64_t self = own_pid();
    uint32_t random = (uint32_t) now_ns() ^ (uint32_t) self * 2654435761u;
    if (storm->prepare)
        storm->prepare();
    options.kind = FILELOCK_KIND_SOFT;
    options.flags = storm->flags;
    if (filelock_new(&lock, storm->path, &options) != 0)
        _exit(70);
    while (!__atomic_load_n(&scene->stop, __ATOMIC_SEQ_CST)) {
        int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeouts[chance(&random, 4)]);
        if (result == 0) {
            enter(self);
            hold(&random, self);
            leave(self);
            result = filelock_release(lock);
        }
        if (result != 0 && result != -ETIMEDOUT)
            failed(result);
        nap_us(chance(&random, 1000));
    }
    filelock_free(lock);
    _exit(0);
}

/* ---- The process that kills --------------------------------------------------------------------- */

static void start(const struct storm *storm, int index)
{
    pids[index] = fork();
    ck_assert_int_ge(pids[index], 0);
    if (pids[index] == 0)
        fight(storm);
}

static int slot_of(const struct storm *storm, int64_t pid)
{
    for (int i = 0; i < storm->processes; i++)
        if (pids[i] == pid)
            return i;
    return -1;
}

/*
 * Returns the index of the holder, or -1 if there is none for too long.
 * No process is killed before a live process holds the lock, because a marker that is unclear stands for two seconds
 * before it is broken.
 */
static int wait_for_holder(const struct storm *storm)
{
    int64_t end = now_ns() + (int64_t) PATIENCE_MS * 1000000;
    int index;
    while ((index = slot_of(storm, read_counter(&scene->holder))) < 0 && now_ns() < end)
        yield_processor();
    return index;
}

static void kill_one(const struct storm *storm, int index)
{
    kill(pids[index], SIGKILL);
    ck_assert_int_eq(waitpid(pids[index], NULL, 0), pids[index]);
    start(storm, index);
}

/* Kills the holder, at once or a moment later, when it may be releasing.  Then kills some that want to be the next. */
static void strike(const struct storm *storm, uint32_t *random)
{
    int index = wait_for_holder(storm);
    if (!chance(random, 3))
        nap_us(chance(random, 50));
    if (index >= 0)
        kill_one(storm, index);
    while (!chance(random, 3)) {
        nap_us(chance(random, 300));
        kill_one(storm, (int) chance(random, (uint32_t) storm->processes));
    }
}

static void expect_peace(const struct storm *storm, const char *when)
{
    int64_t overlaps = read_counter(&scene->overlaps), errors = read_counter(&scene->errors);
    int error = __atomic_load_n(&scene->error, __ATOMIC_SEQ_CST);
    if (overlaps || errors) /* before the message, so that no process keeps running */
        for (int i = 0; i < storm->processes; i++)
            kill(pids[i], SIGKILL);
    ck_assert_msg(overlaps == 0, "%s: two held it at once, %lld times in %lld", when, (long long) overlaps,
                  (long long) read_counter(&scene->acquired));
    ck_assert_msg(errors == 0, "%s: %s", when, result_name(error));
}

static void expect_progress(const struct storm *storm, int64_t *acquired, int64_t *since)
{
    char record[MARKER_SIZE] = "there is none";
    int64_t now = read_counter(&scene->acquired);
    if (now != *acquired)
        *since = now_ns();
    *acquired = now;
    if (now_ns() - *since < (int64_t) PATIENCE_MS * 1000000)
        return;
    read_file(storm->path, record, sizeof record);
    int runs = atoll(record) > 0 && process_runs(atoll(record));
    for (int i = 0; i < storm->processes; i++)
        kill(pids[i], SIGKILL);
    ck_abort_msg("no process got the lock for %d s, after %d takeovers; the marker's process %s: %s",
                 PATIENCE_MS / 1000, (int) read_counter(&scene->takeovers), runs ? "runs" : "does not run", record);
}

static void finish(const struct storm *storm)
{
    __atomic_store_n(&scene->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < storm->processes; i++)
        ck_assert_int_eq(process_wait(&(struct process) { pids[i], -1, -1 }, PATIENCE_MS), 0);
    expect_peace(storm, "at the end");
}

void storm_run(const struct storm *storm)
{
    int64_t acquired = 0, since = now_ns();
    uint32_t random = (uint32_t) since | 1;
    scene = shared_memory(sizeof *scene);
    ck_assert_int_le(storm->processes, MOST);
    for (int i = 0; i < storm->processes; i++)
        start(storm, i);
    while (read_counter(&scene->takeovers) < storm->takeovers) {
        strike(storm, &random);
        expect_peace(storm, "in the storm");
        expect_progress(storm, &acquired, &since);
    }
    finish(storm);
}
