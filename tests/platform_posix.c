/* SPDX-License-Identifier: MIT
 *
 * platform_posix.c - the test harness's system calls on POSIX; /proc is used where there is one.
 */
#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_DESCRIPTORS 4096

extern char **environ;

void platform_begin(void)
{
}

void own_program(const char *named, char *path, size_t size)
{
    snprintf(path, size, "%s", named);
}

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

void nap_ms(int ms)
{
    struct timespec nap = { ms / 1000, (long) (ms % 1000) * 1000000 };
    nanosleep(&nap, NULL);
}

void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t end_ns)
{
    struct timespec when = { (time_t) (end_ns / 1000000000), (long) (end_ns % 1000000000) };
    return pthread_cond_timedwait(condition, mutex, &when);
}

/* ---- Files ---------------------------------------------------------------------------------- */

int make_scratch(const char *parent, char *path, size_t size)
{
    if (!parent)
        parent = getenv("TMPDIR");
    if (!parent || !*parent)
        parent = "/tmp";
    snprintf(path, size, "%s/filelock.XXXXXX", parent);
    return mkdtemp(path) ? 0 : -1;
}

int each_entry(const char *path, void (*callback)(const char *name, void *arg), void *arg)
{
    const struct dirent *entry;
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    while ((entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            callback(entry->d_name, arg);
    closedir(directory);
    return 0;
}

static void remove_entry(const char *name, void *path)
{
    char inner[4096];
    if ((size_t) snprintf(inner, sizeof inner, "%s/%s", (const char *) path, name) < sizeof inner)
        remove_tree(inner);
}

void remove_tree(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return;
    if (S_ISDIR(status.st_mode)) {
        chmod(path, 0700);
        each_entry(path, remove_entry, (void *) (uintptr_t) path);
    }
    remove(path);
}

int make_directory(const char *path)
{
    return mkdir(path, 0777);
}

int change_directory(const char *path)
{
    return chdir(path);
}

const char *root_directory(void)
{
    return "/";
}

int remove_file(const char *path)
{
    return unlink(path);
}

int remove_directory(const char *path)
{
    return rmdir(path);
}

int touch_file(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, 0);
}

int rename_over(const char *from, const char *to)
{
    return rename(from, to);
}

int path_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

uint64_t file_identity(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 ? (uint64_t) status.st_ino : 0;
}

long read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    if (length >= 0)
        text[length] = '\0';
    return (long) length;
}

int write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    int result = write_all(fd, bytes, size);
    close(fd);
    return result;
}

int open_fd(const char *path)
{
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
}

void close_fd(int fd)
{
    close(fd);
}

int fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

long read_at(int fd, void *bytes, size_t size, int64_t offset)
{
    return (long) pread(fd, bytes, size, (off_t) offset);
}

long write_at(int fd, const void *bytes, size_t size, int64_t offset)
{
    return (long) pwrite(fd, bytes, size, (off_t) offset);
}

int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += fd_is_open(fd);
    return count;
}

int descriptors_on(const char *path)
{
    struct stat wanted, status;
    if (stat(path, &wanted) != 0)
        return 0;
    int count = 0;
    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += fstat(fd, &status) == 0 && status.st_ino == wanted.st_ino && status.st_dev == wanted.st_dev;
    return count;
}

/* ---- Processes and threads ------------------------------------------------------------------ */

static int spawn(struct process *process, const char *const argv[], int input, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawn(&pid, argv[0], &actions, &attributes, (char *const *) (uintptr_t) argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    process->pid = pid;
    return error ? -1 : 0;
}

/*
 * Makes a pipe whose ends are above 2.  If an end were 0 or 1 already, dup2 onto itself would leave it close-on-exec in
 * the child.
 */
static int pipe_above_1(int ends[2])
{
    if (pipe(ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);
        close(ends[i]);
        ends[i] = moved;
    }
    return 0;
}

int process_start(struct process *process, const char *const argv[])
{
    int to[2], from[2];
    if (pipe_above_1(to) != 0 || pipe_above_1(from) != 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    int result = spawn(process, argv, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    process->to = to[1];
    process->from = from[0];
    return result;
}

int find_program(const char *name, char *path, size_t size)
{
    const char *search = getenv("PATH");
    for (const char *at = search ? search : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        snprintf(path, size, "%.*s/%s", (int) length, at, name);
        if (length && access(path, X_OK) == 0)
            return 1;
        at += length + (at[length] == ':');
    }
    return 0;
}

int readable_within(int fd, int64_t timeout_ms)
{
    struct pollfd ready = { fd, POLLIN, 0 };
    int64_t end = now_ns() + timeout_ms * 1000000;
    for (;;) {
        int64_t left = (end - now_ns()) / 1000000;
        int count = poll(&ready, 1, left > 0 ? (int) left : 0);
        if (count >= 0 || errno != EINTR)
            return count > 0;
    }
}

long read_some(int fd, void *bytes, size_t size)
{
    ssize_t length;
    do
        length = read(fd, bytes, size);
    while (length < 0 && errno == EINTR);
    return (long) length;
}

int write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t length = write(fd, at, size);
        if (length < 0 && errno != EINTR)
            return -1;
        if (length > 0) {
            at += length;
            size -= (size_t) length;
        }
    }
    return 0;
}

void process_kill(const struct process *process)
{
    kill((pid_t) process->pid, SIGKILL);
}

int process_wait(const struct process *process, int64_t timeout_ms)
{
    int64_t end = now_ns() + timeout_ms * 1000000;
    int status;
    for (;;) {
        pid_t pid = waitpid((pid_t) process->pid, &status, WNOHANG);
        if (pid > 0)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if ((pid < 0 && errno != EINTR) || now_ns() > end)
            return -1;
        nap_ms(1);
    }
}

void set_variable(const char *name, const char *value)
{
    setenv(name, value, 1);
}

int64_t own_pid(void)
{
    return getpid();
}

void command_of(int64_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/comm", (long long) pid);
    if (read_file(path, text, size) < 0)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* /proc/thread-self is there on Linux only.  Elsewhere the number stays 0, and task_asleep() cannot tell. */
int64_t own_task(void)
{
    char link[64];
    ssize_t length = readlink("/proc/thread-self", link, sizeof link - 1);
    if (length <= 0)
        return 0;
    link[length] = '\0';
    const char *task = strrchr(link, '/');
    return task ? atoll(task + 1) : 0;
}

void yield_processor(void)
{
    sched_yield();
}

int task_asleep(int64_t pid, int64_t task)
{
    char path[64], text[512];
    if (!task)
        return -1;
    snprintf(path, sizeof path, "/proc/%lld/task/%lld/stat", (long long) pid, (long long) task);
    if (read_file(path, text, sizeof text) < 0)
        return -1;
    const char *state = strrchr(text, ')');
    return state && state[1] == ' ' && state[2] == 'S';
}

static int mount_of(int fd)
{
    char info[64], *line = NULL;
    size_t size = 0;
    int mount = -1;
    snprintf(info, sizeof info, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(info, "re");
    while (file && mount < 0 && getline(&line, &size, file) > 0)
        if (sscanf(line, "mnt_id: %d", &mount) != 1)
            mount = -1;
    free(line);
    if (file)
        fclose(file);
    return mount;
}

/*
 * Takes the device from the table of mounts, as /proc/locks does.  On btrfs and overlayfs stat(2) gives another device.
 */
static void mount_device(const char *path, unsigned *major_number, unsigned *minor_number)
{
    char *line = NULL;
    size_t size = 0;
    unsigned found[2];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), mount = fd < 0 ? -1 : mount_of(fd), id;
    FILE *mounts = mount < 0 ? NULL : fopen("/proc/self/mountinfo", "re");
    while (mounts && getline(&line, &size, mounts) > 0)
        if (sscanf(line, "%d %*d %u:%u", &id, &found[0], &found[1]) == 3 && id == mount) {
            *major_number = found[0];
            *minor_number = found[1];
        }
    free(line);
    if (mounts)
        fclose(mounts);
    if (fd >= 0)
        close(fd);
}

/* Stores the file's name as it is in /proc/locks, such as " 08:01:4711 "; 0 if there is no such file. */
static int listed_name(const char *path, char *name, size_t size)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    unsigned major_number = major(status.st_dev), minor_number = minor(status.st_dev);
    mount_device(path, &major_number, &minor_number);
    snprintf(name, size, " %02x:%02x:%llu ", major_number, minor_number, (unsigned long long) status.st_ino);
    return 1;
}

/* A waiter that waits for another waiter is indented by one more in /proc/locks, so lines can get long. */
int queued_on(const char *path)
{
    char name[64], *line = NULL;
    size_t size = 0;
    int count = 0;
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks)
        return -1;
    if (listed_name(path, name, sizeof name))
        while (getline(&line, &size, locks) > 0)
            count += strstr(line, "-> ") && strstr(line, name);
    free(line);
    fclose(locks);
    return count;
}

int thread_count(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    if (!tasks)
        return -1;
    int count = 0;
    while ((entry = readdir(tasks)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

int64_t voluntary_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

int64_t processor_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t) used.tv_sec * 1000000000 + used.tv_nsec;
}

/* ---- Something to wait for ------------------------------------------------------------------ */

void waitable_open(struct signal_pair *pair)
{
    int ends[2] = { -1, -1 };
    if (pipe_above_1(ends) != 0)
        abort();
    pair->waitable = ends[0];
    pair->other = ends[1];
}

void waitable_set(struct signal_pair *pair)
{
    write_all(pair->other, "x", 1);
}

void waitable_clear(struct signal_pair *pair)
{
    char byte;
    read_some(pair->waitable, &byte, 1);
}

int waitable_is_set(struct signal_pair *pair)
{
    return readable_within(pair->waitable, 0);
}

void waitable_close(struct signal_pair *pair)
{
    close(pair->waitable);
    close(pair->other);
}
