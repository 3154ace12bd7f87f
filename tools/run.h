/* SPDX-License-Identifier: MIT
 *
 * run.h - what the tool needs of the platform: one run_*.c is linked.
 */
#ifndef RUN_H
#define RUN_H

#include "report.h"

#include <filelock.h>

#include <stdint.h>

/* The part of flock(1)'s command line that does not exist on this platform, as a sentence.  It is everything that is
 * about descriptors, or NULL: nothing is missing. */
extern const char *const run_lacks;

/* Turns the command line into UTF-8; on POSIX it stays as it is.  Returns OUTCOME_DONE, or another outcome after saying
 * why not. */
enum outcome run_arguments(int *argc, char ***argv);

/* Returns the FILELOCK_* flags that let a command share the lock.  is_file: the lock is on a file that the tool opens,
 * not on a descriptor that it was given. */
unsigned run_sharing_flags(int is_file);

/* Returns the microseconds of a clock that cannot be set. */
int64_t run_clock(void);

/* Fills the descriptors of standard streams that the caller has closed, so that no file opened later gets
 * their numbers.  A lock file there would be written to as a stream, and the command could redirect it. */
void run_guard_streams(void);

/* Sets a variable in the environment of the command. */
void run_set_variable(const char *name, const char *value);

/* Turns a line for the user's shell into a command. */
void run_shell_command(const char *line, char *command[4]);

/*
 * Runs a command and waits for its end.  The command inherits every descriptor that survives exec, except close_fd
 * (-1: no exception).  If `lost` becomes ready (FILELOCK_NO_WAITABLE: it never does), the command is ended.  Returns
 *   OUTCOME_DONE   the command has ended: *status is its exit status, or 128 and the number of the signal that ended it
 *   another        the command did not run, or how it ended is not known; a sentence has said why
 * On POSIX a failed exec is OUTCOME_DONE too: *status is then what the child got from report_status().
 */
enum outcome run_command(char *const command[], int close_fd, filelock_waitable lost, int *status);

/* Runs a command in place of this process.  Returns only if that fails, after saying why. */
enum outcome run_instead(char *const command[]);

#endif
