/* SPDX-License-Identifier: MIT
 *
 * What the text of proc(5) says: pure functions of it.  It is the kernel's, but names in it are not.
 */
#ifndef FLK_POSIX_PROC_TEXT_H
#define FLK_POSIX_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* Of /proc/PID/stat. */
struct process_stat {
    char state;       /* of the first thread */
    uint64_t threads; /* the dead first one included */
    uint64_t start;   /* clock ticks since boot */
};

/* false: that is no such text, or too little of it; *stat may be half filled in. */
bool flk_proc_stat(const char *text, struct process_stat *stat);

/* A line of /proc/locks. */
struct proc_lock {
    char name[16]; /* "FLOCK" */
    int64_t pid;   /* 0 or less: not told */
    unsigned major, minor;
    uint64_t inode;
    int64_t first, last; /* bytes */
};

/* false: no such line, or of somebody who only waits. */
bool flk_proc_lock(const char *line, struct proc_lock *lock);

#endif
