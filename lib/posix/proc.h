/* SPDX-License-Identifier: MIT
 *
 * The file system at /proc.
 */
#ifndef FLK_POSIX_PROC_H
#define FLK_POSIX_PROC_H

#include <stdbool.h>

/*
 * Whether the pids in it are those of this process's namespace.  In a new namespace it is still that of the
 * old one until another is mounted: there a pid is some other process's.
 */
bool flk_proc_is_ours(void);

#endif
