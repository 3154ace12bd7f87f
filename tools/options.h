/* SPDX-License-Identifier: MIT
 *
 * options.h - reads the command line of the tool.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "report.h"

#include <filelock.h>

#include <stddef.h>
#include <stdint.h>

enum action {
    ACTION_LOCK,
    ACTION_UNLOCK,
    ACTION_WHO,
    ACTION_BREAK,
    ACTION_LIST,
    ACTION_DOCTOR,
    ACTION_HELP,
    ACTION_VERSION
};

struct tool_options {
    enum action action;
    enum filelock_mode mode;
    int kind;              /* enum filelock_kind */
    int every_process;     /* --all: each process that holds the lock or waits for it */
    int every_kind;        /* no kind was named, and no range: a range implies a kind */
    int64_t lease_ms;      /* of a lease; 0: the default */
    const char *endpoints; /* of the cluster that keeps the lock, or NULL: path is the name of the lock then */
    int64_t timeout_ms;    /* FILELOCK_FOREVER, FILELOCK_TRY or more */
    int conflict_status;   /* the exit status for a conflict or timeout; no step of the tool reads it */
    int close;             /* the command does not get the lock's descriptor */
    int no_fork;           /* the command takes the place of the tool */
    int announce;          /* say in a line that the lock has to be waited for */
    int record;            /* the holder's record is written into the lock file */
    int verbose;
    int json;     /* write the answer as JSON */
    int meet;     /* --doctor: meet another one in the directory */
    int nonblock; /* -n: it wins over -w, before it or after it */
    int unlock;   /* -u, unless -s, -x or -e came later */
    int has_range;
    int64_t range_start;       /* -1: more than a file can have */
    int64_t range_length;      /* -1: more than a file can have */
    int fd;                    /* the descriptor to lock, or -1 */
    const char *path;          /* the file to lock or to ask about, the directory of --list, or NULL */
    char *const *command;      /* with its arguments, up to a NULL; or NULL */
    const char *shell_command; /* a line for the shell; or NULL */
};

/* Reads the command line.  Returns OUTCOME_DONE, or another outcome after writing a sentence about it to stderr.
 * The pointers in *options point into argv. */
enum outcome options_parse(struct tool_options *options, int argc, char **argv);

/* Writes the help text to standard output. */
void options_help(void);

/* Writes a list of the names of the kinds of lock for which wanted() is true. */
void options_list_kinds(int (*wanted)(int kind), char *text, size_t size);

#endif
