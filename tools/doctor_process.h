/* SPDX-License-Identifier: MIT
 *
 * doctor_process.h - the doctor's processes, and the directory in which they work.  What differs between the platforms.
 */
#ifndef DOCTOR_PROCESS_H
#define DOCTOR_PROCESS_H

#include <filelock.h>

#include <stddef.h>
#include <stdint.h>

/* A process of the doctor's, with a pipe to it and a pipe from it. */
struct process {
    int64_t pid; /* 0: not running */
    filelock_waitable to, from;
    filelock_waitable handle; /* Windows: of the process */
};

/* Prepares this process to start others, to notice signals and to clean up.  On Windows a process that was started by
 * process_start() goes no further: it serves and exits. */
void process_prepare(void);

/* Starts a process that serves requests by probe_serve().  Returns 0 or an errno value. */
int process_start(struct process *process);

/* Kills the process, as kill -9 does, and waits for its end. */
void process_kill(struct process *process);

/* Lets the process end by closing the pipe to it.  Kills it if it does not. */
void process_end(struct process *process);

/* Sends bytes.  Returns 0, or an errno value: the process does not run. */
int process_write(filelock_waitable to, const void *bytes, size_t size);

/*
 * Receives bytes within a time.  Returns
 *   0          all bytes came
 *   ETIMEDOUT  they did not come in time
 *   EPIPE      the process has ended
 *   EINTR      this process was told to stop
 */
int process_read(filelock_waitable from, void *bytes, size_t size, int64_t timeout_ms);

/* Receives bytes, for a process that serves.  Returns as process_read() does, without ETIMEDOUT and EINTR. */
int process_await(filelock_waitable from, void *bytes, size_t size);

/* Returns what ends a wait of a process that serves when this pipe's other end is closed. */
filelock_waitable process_cancel(filelock_waitable from);

/* Returns how many times the threads of the process have slept until now, or -1: not known. */
int64_t process_sleeps(const struct process *process);

/* Rests.  A signal that tells this process to stop ends the rest. */
void process_nap(int64_t ms);

/* Returns this process's number. */
int64_t process_self(void);

/* Fills in the name of this host, or "". */
void process_host(char *host, size_t size);

/* True if this process was told to stop by a signal. */
int process_stopped(void);

/* Ends this process by the signal that told it to stop.  Does nothing if there was none. */
void process_obey(void);

/* ---- The directory -------------------------------------------------------------------------- */

/* Fills in the real path of a directory.  Returns 0 or an errno value. */
int place_resolve(const char *directory, char *real, size_t size);

/* Makes a directory with a new name for this process alone.  place_leave() removes it, and so does a process that
 * outlives this process.  Returns 0 or an errno value. */
int place_make(const char *directory, char *place, size_t size);

/* Makes a directory that may exist already.  Returns 0 or an errno value. */
int place_make_shared(const char *place);

/* Has place_leave() remove this directory, as one of place_make(). */
int place_adopt(const char *place);

/* Removes the directory with all files in it, when the processes of the doctor have ended.  Returns 0, or an errno
 * value: it is still there. */
int place_leave(const char *place);

/* Makes an empty file that does not exist yet.  Returns 0 or an errno value: EEXIST if it exists. */
int place_claim(const char *path);

/* Makes a file with these bytes, which is seen whole or not at all.  Returns 0 or an errno value. */
int place_publish(const char *path, const char *bytes, size_t size);

/* Reads a file from its beginning.  Returns the number of bytes, or a negative errno value. */
long place_read(const char *path, char *bytes, size_t size);

/* Makes a file and removes it.  Then an NFS client looks anew at what is in the directory. */
void place_stir(const char *path);

#endif
