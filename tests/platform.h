/* SPDX-License-Identifier: MIT
 *
 * platform.h - what the test harness needs of the operating system.  Each system has a source file of its own.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <filelock.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Called before anything else that the program does: makes lines end with a newline and nothing more. */
void platform_begin(void);

/* Stores the path that this program can be run by, from its argv[0]: with slashes, and without a suffix. */
void own_program(const char *named, char *path, size_t size);

/* Returns the time of a monotonic clock. */
int64_t now_ns(void);

/* Naps between the looks of a bounded poll.  Never to be used in the hope that something has happened. */
void nap_ms(int ms);

/* A condition whose waits end by the clock of now_ns().  condition_wait() returns 0, or ETIMEDOUT. */
void condition_init(pthread_cond_t *condition);
int condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t end_ns);

/* ---- Files ---------------------------------------------------------------------------------- */

/*
 * Makes a new directory below `parent` (NULL: the system's temporary directory); returns 0, or -1 if it cannot be made.
 */
int make_scratch(const char *parent, char *path, size_t size);
void remove_tree(const char *path);
int make_directory(const char *path);
int change_directory(const char *path);

/* Returns a directory that is always there, and that no test made. */
const char *root_directory(void);

/* Calls back with the name of each entry except "." and ".."; returns 0, or -1 if the directory cannot be read. */
int each_entry(const char *path, void (*callback)(const char *name, void *arg), void *arg);
int remove_file(const char *path);
int remove_directory(const char *path);

/* Sets the time of the last modification to now. */
int touch_file(const char *path);
int rename_over(const char *from, const char *to);
int path_exists(const char *path);

/* Returns a number that tells files apart, or 0 if the path names no file. */
uint64_t file_identity(const char *path);

/* Reads the whole of a small file, and ends it with a NUL; returns its length, or -1. */
long read_file(const char *path, char *text, size_t size);
int write_file(const char *path, const void *bytes, size_t size);

/* Opens for reading and writing, and creates the file if it is not there.  close_fd() closes. */
int open_fd(const char *path);
void close_fd(int fd);
int fd_is_open(int fd);
long read_at(int fd, void *bytes, size_t size, int64_t offset);
long write_at(int fd, const void *bytes, size_t size, int64_t offset);
int open_descriptors(void);

/* Returns how many descriptors of this process are open on the file at `path`. */
int descriptors_on(const char *path);

/* ---- Processes and threads ------------------------------------------------------------------ */

/* A child with pipes on its standard input and output. */
struct process {
    int64_t pid;
    int to;
    int from;
};

/* Starts a program; returns 0, or -1.  argv[0] is a path. */
int process_start(struct process *process, const char *const argv[]);

/* True if that program is installed; stores its full path. */
int find_program(const char *name, char *path, size_t size);

/* True if something, or the end, can be read within the time. */
int readable_within(int fd, int64_t timeout_ms);
long read_some(int fd, void *bytes, size_t size);
int write_all(int fd, const void *bytes, size_t size);

/* Ends the process as kill -9 does: it cannot prevent that or clean up. */
void process_kill(const struct process *process);

/*
 * Waits until the process has ended.  Returns its exit status, 128 plus the number of the signal that ended it on
 * POSIX, or -1 if it did not end in time.
 */
int process_wait(const struct process *process, int64_t timeout_ms);

/* Sets an environment variable, for this process and its children. */
void set_variable(const char *name, const char *value);

int64_t own_pid(void);

/* Stores the name by which the system knows a process, on Linux at most 15 bytes; "" if it is not known. */
void command_of(int64_t pid, char *text, size_t size);
int64_t own_task(void);
void yield_processor(void);

/* Returns 1 if the thread sleeps in the kernel, 0 if not, -1 where that cannot be seen. */
int task_asleep(int64_t pid, int64_t task);

/* Returns how many requests wait in the kernel for a lock on the file at `path`; -1 where that cannot be seen. */
int queued_on(const char *path);

/* Returns how many threads this process has; -1 where that cannot be seen. */
int thread_count(void);

/* Returns how often this process has given up the processor so far; only where task_asleep() can tell. */
int64_t voluntary_switches(void);
int64_t processor_ns(void);

/* ---- Something to wait for ------------------------------------------------------------------ */

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
