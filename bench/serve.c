/* SPDX-License-Identifier: MIT
 *
 * serve.c - the worker's side of the protocol in worker.h, for subjects that are functions
 */
#include <config.h>

#include "harness.h"
#include "worker.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 6 };

struct session {
    const struct subject *subject;
    const char *path;
    void *handle;
};

static void acquire(const struct session *session, void *handle, int64_t timeout_ms)
{
    if (session->subject->acquire(handle, timeout_ms) != 0)
        die("%s: cannot acquire %s", session->subject->name, session->path);
}

static void release(const struct session *session, void *handle)
{
    if (session->subject->release(handle) != 0)
        die("%s: cannot release %s", session->subject->name, session->path);
}

static void *open_at(const struct session *session, const char *path)
{
    void *handle = session->subject->open(session->subject, path);

    if (!handle)
        die("%s: cannot open %s", session->subject->name, path);
    return handle;
}

static void run_cycle(struct session *session, const int64_t *argument)
{
    int64_t began = now_ns();

    for (int64_t i = 0; i < argument[0]; i++) {
        acquire(session, session->handle, argument[1]);
        release(session, session->handle);
    }
    printf("%" PRId64 "\n", now_ns() - began);
}

static void run_hold(struct session *session, const int64_t *argument)
{
    (void) argument;
    acquire(session, session->handle, -1);
    printf("0\n");
}

static void run_release(struct session *session, const int64_t *argument)
{
    sleep_ns(argument[0]);
    int64_t stamp = now_ns();
    release(session, session->handle);
    printf("%" PRId64 "\n", stamp);
}

static void run_wait(struct session *session, const int64_t *argument)
{
    int64_t cpu = cpu_ns(), began = now_ns();

    acquire(session, session->handle, argument[0]);
    int64_t stamp = now_ns();
    cpu = cpu_ns() - cpu;
    release(session, session->handle);
    printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", stamp, stamp - began, cpu);
}

static void run_contend(struct session *session, const int64_t *argument)
{
    const int64_t end = argument[1], hold = argument[2], pause = argument[3], timeout = argument[4];
    uint64_t seed = (uint64_t) argument[5];
    int64_t count = 0, worst = 0, failed = 0;

    sleep_until(argument[0]);
    int64_t cpu = cpu_ns();
    for (int64_t asked = now_ns(); asked < end; asked = now_ns()) {
        int error = session->subject->acquire(session->handle, timeout);
        int64_t got = now_ns();
        worst = got - asked > worst ? got - asked : worst;
        if (error) {
            failed++;
            continue;
        }
        count += got < end;
        sleep_ns(hold);
        release(session, session->handle);
        sleep_ns(random_below(&seed, 2 * pause));
    }
    printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", count, worst, cpu_ns() - cpu, failed);
}

/* Many handles, and their paths, which must live as long as the handles. */
struct crowd {
    size_t count;
    char **path;
    void **handle;
};

static void crowd_open(struct crowd *crowd, const struct session *session, size_t count)
{
    crowd->count = count;
    crowd->path = allocate(count, sizeof *crowd->path);
    crowd->handle = allocate(count, sizeof *crowd->handle);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(session->path) + sizeof ".00000";

        crowd->path[i] = allocate(1, size);
        scratch_crowd(session->path, i, crowd->path[i], size);
    }
}

static void crowd_close(struct crowd *crowd, const struct session *session)
{
    for (size_t i = 0; i < crowd->count; i++) {
        session->subject->close(crowd->handle[i]);
        free(crowd->path[i]);
    }
    free(crowd->path);
    free(crowd->handle);
}

static void run_many(struct session *session, const int64_t *argument)
{
    struct crowd crowd;

    crowd_open(&crowd, session, (size_t) argument[0]);
    for (size_t i = 0; i < crowd.count; i++) {
        close(open(crowd.path[i], O_RDWR | O_CREAT | O_CLOEXEC, 0666));
        crowd.handle[i] = open_at(session, crowd.path[i]);
    }
    int64_t began = now_ns();
    for (size_t i = 0; i < crowd.count; i++)
        acquire(session, crowd.handle[i], argument[1]);
    int64_t between = now_ns();
    for (size_t i = 0; i < crowd.count; i++)
        release(session, crowd.handle[i]);
    int64_t ended = now_ns();
    crowd_close(&crowd, session);
    printf("%" PRId64 " %" PRId64 "\n", between - began, ended - between);
}

/*
 * Measures the heap that the handles take.  What a library allocates at its first use, for all handles, does not
 * count: the command "cycle" came before this.
 */
static void run_memory(struct session *session, const int64_t *argument)
{
    struct crowd crowd;

    crowd_open(&crowd, session, (size_t) argument[0]);
    int64_t before = heap_bytes();
    for (size_t i = 0; i < crowd.count; i++) {
        crowd.handle[i] = open_at(session, crowd.path[i]);
        acquire(session, crowd.handle[i], 0);
        release(session, crowd.handle[i]);
    }
    int64_t after = heap_bytes();
    crowd_close(&crowd, session);
    printf("%" PRId64 "\n", before < 0 ? -1 : after - before);
}

/* Makes handles that are never acquired, and never closed. */
static void run_rest(struct session *session, const int64_t *argument)
{
    struct crowd crowd;

    crowd_open(&crowd, session, (size_t) argument[0]);
    for (size_t i = 0; i < crowd.count; i++)
        crowd.handle[i] = open_at(session, crowd.path[i]);
    printf("0\n");
}

static void *cycle_once(void *session)
{
    acquire(session, ((struct session *) session)->handle, 0);
    release(session, ((struct session *) session)->handle);
    return NULL;
}

static void run_ends(struct session *session, const int64_t *argument)
{
    int64_t began = now_ns();

    for (int64_t i = 0; i < argument[0]; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, cycle_once, session) != 0 || pthread_join(thread, NULL) != 0)
            die("no thread");
    }
    printf("%" PRId64 "\n", now_ns() - began);
}

static void run_forks(struct session *session, const int64_t *argument)
{
    int64_t began = now_ns();

    (void) session;
    for (int64_t i = 0; i < argument[0]; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(0);
        if (child < 0 || waitpid(child, NULL, 0) != child)
            die("no child");
    }
    printf("%" PRId64 "\n", now_ns() - began);
}

static void *idle(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void run_thread(struct session *session, const int64_t *argument)
{
    pthread_t thread;

    (void) session;
    (void) argument;
    if (pthread_create(&thread, NULL, idle, NULL) != 0)
        die("no thread");
    printf("0\n");
}

static const struct command {
    const char *name;
    void (*run)(struct session *session, const int64_t *argument);
} commands[] = {
    { "cycle", run_cycle },     { "hold", run_hold }, { "release", run_release }, { "wait", run_wait },
    { "contend", run_contend }, { "many", run_many }, { "memory", run_memory },   { "thread", run_thread },
    { "rest", run_rest },       { "ends", run_ends }, { "forks", run_forks },
};

static void obey(struct session *session, const char *line)
{
    int64_t argument[ARGUMENTS] = { 0 };
    size_t length = strcspn(line, " \n");

    sscanf(line + length, "%" SCNd64 "%" SCNd64 "%" SCNd64 "%" SCNd64 "%" SCNd64 "%" SCNd64, &argument[0], &argument[1],
           &argument[2], &argument[3], &argument[4], &argument[5]);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strlen(commands[i].name) == length && memcmp(commands[i].name, line, length) == 0) {
            commands[i].run(session, argument);
            fflush(stdout);
            return;
        }
    die("a worker was told to %s", line);
}

void worker_serve(const struct subject *subject, const char *path)
{
    struct session session = { subject, path, NULL };
    char line[256];

    session.handle = open_at(&session, path);
    while (fgets(line, sizeof line, stdin))
        obey(&session, line);
    subject->close(session.handle);
}
