/* SPDX-License-Identifier: MIT
 *
 * options.h - the command line of the tool, understood.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <filelock.h>

#include <stddef.h>
#include <stdint.h>

enum action { ACTION_LOCK, ACTION_UNLOCK, ACTION_WHO, ACTION_BREAK, ACTION_HELP, ACTION_VERSION };

struct tool_options {
    enum action action;
    enum filelock_mode mode;
    int kind;            /* enum filelock_kind */
    int64_t timeout_ms;  /* FILELOCK_FOREVER, FILELOCK_TRY or more */
    int conflict_status; /* what a conflict or timeout exits with */
    int close;           /* the command does not get the lock's descriptor */
    int no_fork;         /* the command takes the place of the tool */
    int verbose;
    int nonblock;        /* -n, which wins over -w wherever it stands */
    int unlock;          /* -u, unless -s, -x or -e came later */
    int has_range;
    int64_t range_start;
    int64_t range_length;
    int fd;                    /* the descriptor to lock, or -1 */
    const char *path;          /* the file to lock or to ask about, or NULL */
    char *const *command;      /* with its arguments, up to a NULL; or NULL */
    const char *shell_command; /* a line for the shell; or NULL */
};

/* Reads the command line: 0, or an exit status when one sentence about it was written to stderr.
 * What is stored points into argv. */
int options_parse(struct tool_options *options, int argc, char **argv);

/* Writes the help text to standard output. */
void options_help(void);

/* The names of the kinds of lock that are wanted, as a list. */
void options_list_kinds(int (*wanted)(int kind), char *text, size_t size);

#endif
