/* SPDX-License-Identifier: MIT
 *
 * filelock.c - the tool filelock: locks a file while a command runs, as flock(1) does, and tells which process
 * holds a lock.
 */
#include <filelock.h>

#include "doctor.h"
#include "handles.h"
#include "list.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "who.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Writes what libfilelock says of an error, as a message of the tool. */
static void complain_about(const struct filelock *lock, int error)
{
    char sentence[SENTENCE_SIZE];

    filelock_describe(lock, error, sentence, sizeof sentence);
    complain("%s", sentence);
}

/* ---- Locking -------------------------------------------------------------------------------- */

/* Says what flock(1) would say about a conflict, and which process holds the lock. */
static enum outcome explain_conflict(const struct filelock *lock, const struct tool_options *options)
{
    char sentence[SENTENCE_SIZE];
    int waited = options->timeout_ms != FILELOCK_TRY;

    if (options->verbose)
        complain("%s", waited ? "timeout while waiting to get lock" : "failed to get lock");
    if (options->verbose || waited) {
        filelock_describe(lock, -ETIMEDOUT, sentence, sizeof sentence);
        who_add_command(lock, options, sentence, sizeof sentence);
        complain("%s", sentence);
    }
    return OUTCOME_CONFLICT;
}

static enum outcome take_lock(struct filelock *lock, const struct tool_options *options)
{
    int error = filelock_acquire(lock, options->mode, options->timeout_ms);

    if (error == 0)
        return OUTCOME_DONE;
    if (error == -ETIMEDOUT)
        return explain_conflict(lock, options);
    complain_about(lock, error);
    if (error == -EINVAL && options->mode == FILELOCK_SHARED)
        return OUTCOME_USAGE;
    return outcome_of_error(-error);
}

/*
 * Drops a lock that an earlier process took on the descriptor.  The system knows of that lock, a new handle does not.
 * An acquire makes it the handle's lock, which can be released.  A conflict means that another open file has the lock:
 * then this descriptor has none.
 */
static enum outcome drop_descriptor_lock(struct filelock *lock)
{
    int error = filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY);

    /* A shared lock on a range needs a descriptor that can be read. */
    if (error == -EBADF || error == -EACCES || error == -EPERM)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error == 0)
        error = filelock_release(lock);
    if (error == 0 || error == -ETIMEDOUT)
        return OUTCOME_DONE;
    complain_about(lock, error);
    return outcome_of_error(-error);
}

/* Opens the file, and creates it if there is none.  That is all: a newly opened file has no lock to drop. */
static enum outcome drop_file_lock(const char *path)
{
    FILE *file = fopen(path, "r");

    if (file == NULL && errno == ENOENT)
        file = fopen(path, "a");
    if (file == NULL) {
        int error = errno;

        complain("cannot open %s: %s", path, strerror(error));
        return outcome_of_error(error);
    }
    fclose(file);
    return OUTCOME_DONE;
}

/* The errno value of the last line of --verbose that could not be written, or 0. */
static int say_error;

/* Prints a line of --verbose.  Some C libraries write it at once, others only when it is flushed. */
static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vprintf(format, arguments) < 0)
        say_error = errno;
    va_end(arguments);
}

static enum outcome change_lock(struct filelock *lock, const struct tool_options *options)
{
    int64_t start = run_clock(), us;
    enum outcome outcome;

    if (options->action == ACTION_LOCK)
        outcome = take_lock(lock, options);
    else if (options->path != NULL)
        outcome = drop_file_lock(options->path);
    else
        outcome = drop_descriptor_lock(lock);
    if (outcome != OUTCOME_DONE || !options->verbose)
        return outcome;
    us = run_clock() - start;
    say(TOOL_NAME ": getting lock took %" PRId64 ".%06" PRId64 " seconds\n", us / 1000000, us % 1000000);
    return OUTCOME_DONE;
}

/* ---- The command ---------------------------------------------------------------------------- */

/*
 * Writes the lines of --verbose out.  A closed standard output is no error, as in flock(1): a caller that closes it
 * does not want these lines.
 */
static enum outcome flush_verbose(void)
{
    if (fflush(stdout) != 0)
        say_error = errno;
    if (say_error == EBADF) {
        clearerr(stdout);
        return OUTCOME_DONE;
    }
    return report_flush();
}

/* Puts the fencing token of the lock, if it has one, into the environment of the command. */
static void pass_token(const struct filelock *lock)
{
    uint64_t token;
    char text[24];

    if (filelock_token(lock, &token) != 0)
        return;
    snprintf(text, sizeof text, "%" PRIu64, token);
    run_set_variable("FILELOCK_TOKEN", text);
}

/* Runs the command, if there is one.  If the outcome is OUTCOME_DONE, *status is the command's exit status. */
static enum outcome run(const struct filelock *lock, const struct tool_options *options, int *status)
{
    char *shell[4];
    char *const *command = options->command;
    enum outcome output, outcome;

    if (options->shell_command != NULL) {
        run_shell_command(options->shell_command, shell);
        command = shell;
    }
    if (command == NULL)
        return flush_verbose();
    if (options->verbose)
        say(TOOL_NAME ": executing %s\n", command[0]);
    output = flush_verbose();
    pass_token(lock);
    if (options->no_fork)
        return run_instead(command);
    outcome =
        run_command(command, options->close && options->path == NULL ? options->fd : -1, filelock_lost(lock), status);
    return output != OUTCOME_DONE ? output : outcome;
}

/* Releases a lock that can be lost.  If it was lost, the command may have run beside another holder's. */
static enum outcome end_lease(struct filelock *lock, enum outcome outcome)
{
    int error = filelock_lost(lock) != FILELOCK_NO_WAITABLE ? filelock_release(lock) : 0;

    if (error != -ESTALE)
        return outcome;
    complain_about(lock, error);
    return OUTCOME_TEMPFAIL;
}

/*
 * The handle of lock_and_run(), which does not always free it.  Static, so that leak checkers still reach it at the
 * exit.
 */
static struct filelock *held;

/* Refuses options that are about descriptors, on a platform where a descriptor can neither be locked nor be kept from a
 * command. */
static enum outcome refuse_lacking(const struct tool_options *options)
{
    if (run_lacks == NULL ||
        !(options->close || options->no_fork || options->fd >= 0 || options->action == ACTION_UNLOCK))
        return OUTCOME_DONE;
    complain("%s", run_lacks);
    return OUTCOME_USAGE;
}

static enum outcome lock_and_run(const struct tool_options *options, int *status)
{
    enum outcome outcome = refuse_lacking(options);

    if (outcome != OUTCOME_DONE)
        return outcome;
    if (options->path != NULL)
        run_guard_streams();
    outcome = handle_make(&held, options);
    if (outcome != OUTCOME_DONE)
        return outcome;
    outcome = change_lock(held, options);
    if (outcome == OUTCOME_DONE)
        outcome = run(held, options, status);
    outcome = end_lease(held, outcome);
    /*
     * If the command left processes behind, they share the lock and keep it when this process lets go.  A lock on a
     * descriptor belongs to the caller, for instance a shell: it stays.
     */
    if (options->path != NULL)
        filelock_free(held);
    return outcome;
}

/* ---- Questions ------------------------------------------------------------------------------ */

/* Says why the marker was not removed. */
static enum outcome explain_no_break(const struct filelock *lock, const char *path, int error)
{
    if (error == -ENOENT) {
        complain("there is no lock to break at %s", path);
        return OUTCOME_NONE;
    }
    if (error == -ENOTSUP) {
        complain("cannot break %s: a lock of kind %s has no marker to remove, and ends with its holder", path,
                 filelock_kind_name(filelock_kind(lock)));
        return OUTCOME_UNAVAILABLE;
    }
    complain_about(lock, error);
    return outcome_of_error(-error);
}

static enum outcome break_lock(const struct tool_options *options)
{
    struct filelock *lock = NULL;
    enum outcome outcome = handle_make(&lock, options);
    int error;

    if (outcome != OUTCOME_DONE)
        return outcome;
    error = filelock_break(lock);
    if (error != 0)
        outcome = explain_no_break(lock, options->path, error);
    filelock_free(lock);
    return outcome;
}

static enum outcome help(void)
{
    options_help();
    if (run_lacks != NULL)
        printf("\n%s.\n", run_lacks);
    return report_flush();
}

/* ---- All of it ------------------------------------------------------------------------------ */

static enum outcome act(const struct tool_options *options, int *status)
{
    switch (options->action) {
    case ACTION_HELP:
        return help();
    case ACTION_VERSION:
        printf(TOOL_NAME " from libfilelock %s\n", filelock_version());
        return report_flush();
    case ACTION_WHO:
        return who_tell(options);
    case ACTION_LIST:
        return list_tell(options);
    case ACTION_BREAK:
        return break_lock(options);
    case ACTION_DOCTOR:
        return options->meet ? doctor_meet(options) : doctor_examine(options);
    default:
        return lock_and_run(options, status);
    }
}

int main(int argc, char **argv)
{
    static char name[] = TOOL_NAME;
    static char *no_arguments[] = { name, NULL };
    struct tool_options options = { .conflict_status = 1 };
    enum outcome outcome = run_arguments(&argc, &argv);
    int status = 0;

    /*
     * getopt_long() begins its messages with argv[0].  They are to begin with the name alone, as all other messages
     * do.
     */
    if (argc > 0)
        argv[0] = name;
    if (outcome == OUTCOME_DONE)
        outcome = options_parse(&options, argc > 0 ? argc : 1, argc > 0 ? argv : no_arguments);
    if (outcome == OUTCOME_DONE)
        outcome = act(&options, &status);
    return outcome == OUTCOME_DONE ? status : report_status(outcome, options.conflict_status);
}
