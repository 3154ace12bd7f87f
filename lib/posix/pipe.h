/* SPDX-License-Identifier: MIT
 *
 * A pipe that no program executed by another thread gets a copy of.
 */
#ifndef FLK_POSIX_PIPE_H
#define FLK_POSIX_PIPE_H

/* As pipe(2), with both ends close-on-exec. */
int flk_pipe(int fd[2]);

#endif
