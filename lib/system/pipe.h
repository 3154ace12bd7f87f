/* SPDX-License-Identifier: MIT
 *
 * A pipe of which a program that another thread executes gets no copy.
 */
#ifndef FLK_PIPE_H
#define FLK_PIPE_H

/* Makes a pipe as pipe(2) does, with both ends close-on-exec. */
int flk_pipe(int fd[2]);

#endif
