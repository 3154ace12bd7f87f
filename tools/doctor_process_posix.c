/* SPDX-License-Identifier: MIT
 *
 * doctor_process_posix.c - the doctor's processes by fork, and what removes the directory however the doctor ends.
 */
#include <config.h>

#include "doctor_process.h"

#include "doctor_probe.h"
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bounds the processes that run at once. */
#define MAX_PROCESSES 8

/* Time that a process has to end, when it was killed or its pipe was closed.  A file system that hangs can keep it. */
#define END_MS 5000

static struct process *running[MAX_PROCESSES];
static volatile sig_atomic_t stopping; /* the signal, or 0 */
static int alarm_pipe[2] = { -1, -1 }; /* can be read when a signal has come */
static const int stop_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define STOP_SIGNALS (sizeof stop_signals / sizeof *stop_signals)

/*
 * The janitor is a process that removes the directory.  It waits for the end of a pipe.  This process and all that it
 * starts have the pipe's other end open, so the pipe ends with the last of them, even if they are killed.
 */
static pid_t janitor;
static int janitor_pipe = -1;

/* ---- Signals -------------------------------------------------------------------------------- */

static void note_signal(int number)
{
    int error = errno;
    ssize_t ignored;

    stopping = number;
    ignored = write(alarm_pipe[1], "", 1);
    (void) ignored;
    errno = error;
}

static void set_handlers(void (*handler)(int))
{
    struct sigaction action, before;
    size_t i;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    for (i = 0; i < STOP_SIGNALS; i++)
        if (sigaction(stop_signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(stop_signals[i], &action, NULL);
}

int process_stopped(void)
{
    return stopping != 0;
}

void process_obey(void)
{
    if (stopping == 0)
        return;
    signal(stopping, SIG_DFL);
    raise(stopping);
}

static int open_pipe(int ends[2])
{
    if (pipe(ends) != 0)
        return errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

void process_prepare(void)
{
    run_guard_streams();
    /* A write to a process that has ended is to fail.  A SIGCHLD that is ignored would leave no status to wait for. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    if (open_pipe(alarm_pipe) != 0)
        return;
    fcntl(alarm_pipe[1], F_SETFL, O_NONBLOCK);
    set_handlers(note_signal);
}

/* ---- Processes ------------------------------------------------------------------------------ */

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Closes in a child what belongs to its parent.  A terminal sends its signals to the child too: the child ends by its
 * pipe, so that the parent decides when. */
static void become_child(void)
{
    size_t i;

    for (i = 0; i < MAX_PROCESSES; i++)
        if (running[i] != NULL) {
            close_end(&running[i]->to);
            close_end(&running[i]->from);
        }
    close_end(&alarm_pipe[0]);
    close_end(&alarm_pipe[1]);
    stopping = 0;
    set_handlers(SIG_IGN);
}

/* Waits for the end of a child, for at most END_MS.  True if it has ended. */
static int has_ended(pid_t pid)
{
    int64_t deadline = run_clock() + (int64_t) END_MS * 1000;
    pid_t ended;

    while ((ended = waitpid(pid, NULL, WNOHANG)) == 0 && run_clock() < deadline)
        poll(NULL, 0, 1);
    return ended != 0;
}

static struct process **place_for(const struct process *process)
{
    size_t i;

    for (i = 0; i < MAX_PROCESSES; i++)
        if (running[i] == process)
            return &running[i];
    return NULL;
}

static void serve(int from, int to)
{
    become_child();
    probe_serve(from, to);
    _exit(0);
}

int process_start(struct process *process)
{
    int to[2] = { -1, -1 }, from[2] = { -1, -1 }, error = open_pipe(to);
    struct process **place = place_for(NULL);
    pid_t pid = -1;

    if (error == 0)
        error = place == NULL ? EAGAIN : open_pipe(from);
    if (error == 0) {
        fflush(stdout);
        pid = fork();
        error = pid < 0 ? errno : 0;
    }
    if (pid == 0) {
        close(to[1]);
        close(from[0]);
        serve(to[0], from[1]);
    }
    close_end(&to[0]);
    close_end(&from[1]);
    if (error != 0) {
        close_end(&to[1]);
        close_end(&from[0]);
        return error;
    }
    process->pid = pid;
    process->to = to[1];
    process->from = from[0];
    *place = process;
    return 0;
}

static void forget(struct process *process)
{
    struct process **place = place_for(process);

    close_end(&process->to);
    close_end(&process->from);
    process->pid = 0;
    if (place != NULL)
        *place = NULL;
}

void process_kill(struct process *process)
{
    kill((pid_t) process->pid, SIGKILL);
    has_ended((pid_t) process->pid);
    forget(process);
}

void process_end(struct process *process)
{
    close_end(&process->to);
    if (has_ended((pid_t) process->pid))
        forget(process);
    else
        process_kill(process);
}

/* ---- Pipes ---------------------------------------------------------------------------------- */

int process_write(filelock_waitable to, const void *bytes, size_t size)
{
    const char *next = bytes;

    while (size > 0) {
        ssize_t n = write(to, next, size);

        if (n < 0 && errno != EINTR)
            return errno;
        next += n > 0 ? n : 0;
        size -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}

/* Waits until the pipe can be read.  A negative time is no limit.  Returns 0, ETIMEDOUT or EINTR. */
static int await_bytes(int from, int64_t ms)
{
    struct pollfd look[2] = { { from, POLLIN, 0 }, { alarm_pipe[0], POLLIN, 0 } };
    int n = poll(look, 2, ms < 0 ? -1 : ms > INT32_MAX ? INT32_MAX : (int) ms);

    if (look[1].revents != 0)
        return EINTR;
    return n == 0 ? ETIMEDOUT : 0;
}

int process_read(filelock_waitable from, void *bytes, size_t size, int64_t timeout_ms)
{
    int64_t deadline = run_clock() + timeout_ms * 1000;
    char *next = bytes;

    while (size > 0) {
        int64_t left = deadline - run_clock();
        int error = await_bytes(from, left > 0 ? left / 1000 + 1 : 0);
        ssize_t n;

        if (error != 0)
            return error;
        n = read(from, next, size);
        if (n == 0)
            return EPIPE;
        if (n < 0 && errno != EINTR)
            return errno;
        next += n > 0 ? n : 0;
        size -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}

int process_await(filelock_waitable from, void *bytes, size_t size)
{
    char *next = bytes;

    while (size > 0) {
        ssize_t n = read(from, next, size);

        if (n == 0)
            return EPIPE;
        if (n < 0 && errno != EINTR)
            return errno;
        next += n > 0 ? n : 0;
        size -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}

/* Returns the pipe itself: it can be read when its other end is closed, and no request comes during a wait. */
filelock_waitable process_cancel(filelock_waitable from)
{
    return from;
}

void process_nap(int64_t ms)
{
    struct pollfd look = { alarm_pipe[0], POLLIN, 0 };

    poll(&look, 1, (int) ms);
}

int64_t process_self(void)
{
    return getpid();
}

void process_host(char *host, size_t size)
{
    if (gethostname(host, size) != 0)
        host[0] = '\0';
    host[size - 1] = '\0';
}

/* Returns the number in a line "voluntary_ctxt_switches:" of proc(5), or -1. */
static int64_t read_sleeps(const char *path)
{
    char line[256];
    int64_t sleeps = -1;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return -1;
    while (sleeps < 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "voluntary_ctxt_switches: %" SCNd64, &sleeps) != 1)
            sleeps = -1;
    fclose(file);
    return sleeps;
}

int64_t process_sleeps(const struct process *process)
{
    char path[320];
    struct dirent *entry;
    int64_t all = -1;
    DIR *threads;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/task", process->pid);
    threads = opendir(path);
    if (threads == NULL)
        return -1;
    while ((entry = readdir(threads)) != NULL) {
        int64_t sleeps;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%" PRId64 "/task/%s/status", process->pid, entry->d_name);
        sleeps = read_sleeps(path);
        if (sleeps >= 0)
            all = (all < 0 ? 0 : all) + sleeps;
    }
    closedir(threads);
    return all;
}

/* ---- The janitor ---------------------------------------------------------------------------- */

/* Removes the files of an open directory, and the directory.  If others have made a new directory with the same name,
 * its files stay. */
static void remove_all(int fd, const char *place)
{
    struct dirent *entry;
    DIR *directory = fdopendir(fd);

    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(place);
}

/* Makes the directory if it is new, and opens it.  Returns the descriptor, or -1 with *error set. */
static int open_place(char *place, int is_new, int *error)
{
    int fd = -1;

    if (!is_new || mkdtemp(place) != NULL)
        fd = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *error = fd < 0 ? errno : 0;
    return fd;
}

/* Is the janitor: tells what it opened, and removes it at the end of the pipe. */
static void clean_up(char *place, size_t size, int is_new, int life, int report)
{
    int error, fd;
    char byte;
    ssize_t n;

    /* A kill of the whole process group is to leave the janitor alive. */
    setsid();
    become_child();
    fd = open_place(place, is_new, &error);
    process_write(report, &error, sizeof error);
    process_write(report, place, size);
    close(report);
    if (error != 0)
        _exit(0);
    do
        n = read(life, &byte, 1);
    while (n > 0 || (n < 0 && errno == EINTR));
    remove_all(fd, place);
    _exit(0);
}

/* Starts the janitor, which makes a new directory itself: so there is no time at which nobody would remove it.  `place`
 * has the template of mkdtemp(3), and gets the name. */
static int start_janitor(char *place, size_t size, int is_new)
{
    int life[2] = { -1, -1 }, report[2] = { -1, -1 }, error = open_pipe(life), told;

    if (error == 0)
        error = open_pipe(report);
    if (error == 0) {
        fflush(stdout);
        janitor = fork();
        error = janitor < 0 ? errno : 0;
    }
    if (error == 0 && janitor == 0) {
        close(life[1]);
        close(report[0]);
        clean_up(place, size, is_new, life[0], report[1]);
    }
    close_end(&life[0]);
    close_end(&report[1]);
    janitor_pipe = life[1];
    if (error == 0)
        error = process_await(report[0], &told, sizeof told);
    if (error == 0)
        error = told;
    if (error == 0)
        error = process_await(report[0], place, size);
    close_end(&report[0]);
    if (error != 0)
        close_end(&janitor_pipe);
    return error;
}

int place_adopt(const char *place)
{
    char path[4096 + 64] = "";

    if ((size_t) snprintf(path, sizeof path, "%s", place) >= sizeof path)
        return ENAMETOOLONG;
    return start_janitor(path, sizeof path, 0);
}

int place_leave(const char *place)
{
    struct stat st;

    close_end(&janitor_pipe);
    if (janitor > 0)
        has_ended(janitor);
    janitor = 0;
    return lstat(place, &st) == 0 ? ENOTEMPTY : 0;
}

/* ---- Files ---------------------------------------------------------------------------------- */

int place_resolve(const char *directory, char *real, size_t size)
{
    struct stat st;
    char *path = realpath(directory, NULL);
    int error = path == NULL ? errno : 0;

    if (error == 0 && stat(path, &st) != 0)
        error = errno;
    if (error == 0 && !S_ISDIR(st.st_mode))
        error = ENOTDIR;
    if (error == 0 && strlen(path) >= size)
        error = ENAMETOOLONG;
    if (error == 0)
        memcpy(real, path, strlen(path) + 1);
    free(path);
    return error;
}

int place_make(const char *directory, char *place, size_t size)
{
    if ((size_t) snprintf(place, size, "%s/.filelock-doctor.XXXXXX", directory) >= size)
        return ENAMETOOLONG;
    return start_janitor(place, size, 1);
}

int place_make_shared(const char *place)
{
    struct stat st;

    if (mkdir(place, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    return lstat(place, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

int place_claim(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);

    if (fd < 0)
        return errno;
    return close(fd) == 0 ? 0 : errno;
}

int place_publish(const char *path, const char *bytes, size_t size)
{
    char draft[4096 + 256];
    int fd, error;

    if ((size_t) snprintf(draft, sizeof draft, "%s.new", path) >= sizeof draft)
        return ENAMETOOLONG;
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno;
    error = process_write(fd, bytes, size);
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(draft, path) != 0)
        error = errno;
    return error;
}

long place_read(const char *path, char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size_t length = 0;
    ssize_t n = 0;
    int error;

    if (fd < 0)
        return -errno;
    while (length < size && (n = read(fd, bytes + length, size - length)) > 0)
        length += (size_t) n;
    error = n < 0 ? errno : 0;
    close(fd);
    return error != 0 ? -error : (long) length;
}

void place_stir(const char *path)
{
    if (place_claim(path) == 0)
        unlink(path);
}
