/* SPDX-License-Identifier: MIT
 *
 * The file system at /proc.
 */
#ifndef FLK_PROC_H
#define FLK_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "owner/proc_text.h"

/*
 * True if /proc shows the pids of this process's pid namespace.  A process in a new namespace sees the old namespace's
 * /proc until another is mounted.  A pid means another process there.
 */
bool flk_proc_is_ours(void);

/* Reads the first bytes of a small file, and adds a NUL.  False if the file cannot be read; errno tells why. */
bool flk_proc_read(const char *path, char *text, size_t size);

/* Reads /proc/PID/stat.  False if it cannot be read, or if flk_proc_is_ours() is false. */
bool flk_proc_read_stat(int64_t pid, struct process_stat *stat);

/* True if the text is a number.  In /proc, processes, threads and descriptors have numbers for names. */
bool flk_proc_is_number(const char *name);

#endif
