/* SPDX-License-Identifier: MIT
 *
 * run.h - what the tool needs of the platform: one run_*.c is linked.
 */
#ifndef RUN_H
#define RUN_H

#include <stdint.h>

/* What of flock(1)'s command line does not exist on this platform, as a sentence; NULL: nothing.  Either it is all
 * that is about descriptors, or none. */
extern const char *const run_lacks;

/* Gives the command line in UTF-8 (on POSIX: as it is): 0, or an exit status after saying why not. */
int run_arguments(int *argc, char ***argv);

/* The FILELOCK_* flags by which a command gets the lock as well: on a file that is opened here, or on a descriptor. */
unsigned run_sharing_flags(int is_file);

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
