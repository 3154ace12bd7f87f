/* SPDX-License-Identifier: MIT
 *
 * Parsing the text of proc(5), by pure functions.  The kernel writes this text, but users choose names in it.
 */
#ifndef FLK_PROC_TEXT_H
#define FLK_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* The fields of /proc/PID/stat that are used here. */
struct process_stat {
    char state;       /* of the first thread */
    uint64_t threads; /* their number; a first thread that has ended counts while others run */
    uint64_t start;   /* clock ticks since boot */
};

/* Parses /proc/PID/stat.  False if the text is something else or too short; then *stat may be half filled in. */
bool flk_proc_stat(const char *text, struct process_stat *stat);

/*
 * Splits a token that a process of Linux has written of itself: (boot << 64) | start, in decimal digits.
 * False: the number is too large for that.
 */
#define PROC_BOOT_BYTES 16
bool flk_proc_token(const char *token, uint8_t boot[PROC_BOOT_BYTES], uint64_t *start);

/*
 * Reads from the text of /proc/PID/timens_offsets how far the clock since boot is ahead of the clock in the initial
 * time namespace, in ns.  False if the text does not tell.
 */
bool flk_proc_boottime_offset(const char *text, int64_t *ns);

/*
 * Parses a line of /proc/PID/status.  Returns the pid that the process has in its innermost pid namespace, or 0: it is
 * another line, or the process is in the same pid namespace as the reader.
 */
int64_t flk_proc_innermost_pid(const char *line);

/* A line of /proc/locks. */
struct proc_lock {
    char name[16]; /* "FLOCK" */
    int64_t pid;   /* 0 or less: the kernel does not tell */
    unsigned major, minor;
    uint64_t inode;
    int64_t first, last; /* the first and the last byte that is locked */
};

/* Parses a line of /proc/locks.  False if it is something else, or is about a waiter and not a holder. */
bool flk_proc_lock(const char *line, struct proc_lock *lock);

#endif
