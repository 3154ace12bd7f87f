/* SPDX-License-Identifier: MIT
 *
 * platform.h - what the test harness needs of the operating system; one source for each system.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <filelock.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Before anything else that the program does: lines end with a newline and nothing more. */
void platform_begin(void);

/* The path that this program can be run by, with slashes and without a suffix, from its argv[0]. */
void own_program(const char *named, char *path, size_t size);

/* Monotonic. */
int64_t now_ns(void);

/* For the intervals of bounded polling only, never to hope that something has happened. */
void nap_ms(int ms);

/* A condition whose waits end by now_ns(): 0, or ETIMEDOUT. */
void condition_init(pthread_cond_t *condition);
int condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t end_ns);

/* ---- Files ---------------------------------------------------------------------------------- */

/* A new directory below `parent` (NULL: the system's temporary directory); -1 if it cannot be. */
int make_scratch(const char *parent, char *path, size_t size);
void remove_tree(const char *path);
int make_directory(const char *path);
int change_directory(const char *path);

/* A directory that is always there and is nobody's own. */
const char *root_directory(void);

/* Calls back with the name of each entry but itself and its parent; 0, or -1 if it cannot be read. */
int each_entry(const char *path, void (*callback)(const char *name, void *arg), void *arg);
int remove_file(const char *path);
int remove_directory(const char *path);

/* Makes it modified now. */
int touch_file(const char *path);
int rename_over(const char *from, const char *to);
int path_exists(const char *path);

/* A number for which file a path names, and 0 when it names none. */
uint64_t file_identity(const char *path);

/* The whole of a small file, NUL-terminated; its length, or -1. */
long read_file(const char *path, char *text, size_t size);
int write_file(const char *path, const void *bytes, size_t size);

/* Opens for reading and writing, creating; close_fd closes. */
int open_fd(const char *path);
void close_fd(int fd);
int fd_is_open(int fd);
long read_at(int fd, void *bytes, size_t size, int64_t offset);
long write_at(int fd, const void *bytes, size_t size, int64_t offset);
int open_descriptors(void);

/* How many descriptors of this process are open on the file at `path`. */
int descriptors_on(const char *path);

/* ---- Processes and threads ------------------------------------------------------------------ */

/* A child with pipes on its standard input and output. */
struct process {
    int64_t pid;
    int to;
    int from;
};

/* 0, or -1; argv[0] is a path. */
int process_start(struct process *process, const char *const argv[]);

/* Whether that program is installed: its full path in `path`. */
int find_program(const char *name, char *path, size_t size);

/* 1 if something (or the end) can be read within the time, 0 if not. */
int readable_within(int fd, int64_t timeout_ms);
long read_some(int fd, void *bytes, size_t size);
int write_all(int fd, const void *bytes, size_t size);

/* Ends it without giving it a say, as kill -9 does. */
void process_kill(const struct process *process);

/* The exit status, 128 and the signal if one ended it, or -1 if it did not end in time. */
int process_wait(const struct process *process, int64_t timeout_ms);

/* Of the environment, for this process and its children. */
void set_variable(const char *name, const char *value);

int64_t own_pid(void);

/* The name of a process as the system has it, which on Linux is 15 bytes at most; "" if it is not known. */
void command_of(int64_t pid, char *text, size_t size);
int64_t own_task(void);
void yield_processor(void);

/* 1 if the thread sleeps in the kernel, 0 if not, -1 where that cannot be seen. */
int task_asleep(int64_t pid, int64_t task);

/* How many requests wait in the kernel for a lock on the file at `path`; -1 where it cannot be seen. */
int queued_on(const char *path);

/* Of this process; -1 where it cannot be seen. */
int thread_count(void);

/* How often this process has given up the processor so far; only where task_asleep() can tell. */
int64_t voluntary_switches(void);
int64_t processor_ns(void);

/* ---- Something that can be waited for ------------------------------------------------------- */

struct signal_pair {
    filelock_waitable waitable;
    int other;
};

void waitable_open(struct signal_pair *pair);
void waitable_set(struct signal_pair *pair);
void waitable_clear(struct signal_pair *pair);
int waitable_is_set(struct signal_pair *pair);
void waitable_close(struct signal_pair *pair);

#endif
