/* SPDX-License-Identifier: MIT
 *
 * run.h - what the tool needs of the platform: one run_*.c is linked.
 */
#ifndef RUN_H
#define RUN_H

#include <stdint.h>

/* Microseconds of a clock that nobody sets. */
int64_t run_clock(void);

/* Keeps the files that are opened from now on off the standard streams' descriptors, where the
 * caller closed those: a lock there would be written to, and be redirected by the command. */
void run_guard_streams(void);

/* Turns a line for the shell into a command; the shell is the user's. */
void run_shell_command(const char *line, char *command[4]);

/* Runs a command and waits for its end; it inherits every descriptor that survives exec, but for
 * close_fd (-1: none).  Returns the exit status to pass on: the command's own, or 128 and its
 * signal's number, or why it did not run, after saying so. */
int run_command(char *const command[], int close_fd);

/* Runs a command in the place of this process.  Returns only when that fails, as run_command(). */
int run_instead(char *const command[]);

#endif
