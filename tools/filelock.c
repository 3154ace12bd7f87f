/* SPDX-License-Identifier: MIT
 *
 * filelock.c - the tool filelock: locks a file while a command runs, as flock(1) does, and tells who
 * holds a lock.
 */
#include <filelock.h>

#include "options.h"
#include "report.h"
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What libfilelock says of an error, as the tool's own message. */
static void complain_about(const struct filelock *lock, int error)
{
    char sentence[4096 + 512];

    filelock_describe(lock, error, sentence, sizeof sentence);
    complain("%s", sentence);
}

/* ---- Handles -------------------------------------------------------------------------------- */

static int available(int kind)
{
    return kind != FILELOCK_KIND_DEFAULT && filelock_supported(kind);
}

/* Says why there is no handle, and returns the exit status. */
static int explain_no_handle(const struct tool_options *options, int error)
{
    const char *kind = filelock_kind_name(options->kind);

    if (error == -ENOTSUP) {
        char kinds[256];

        options_list_kinds(available, kinds, sizeof kinds);
        complain("locks of kind %s are not available here; what is: %s", kind, kinds);
        return STATUS_UNAVAILABLE;
    }
    if (error == -EINVAL && options->has_range) {
        complain("--start and --length are for locks on ranges of bytes, which kind %s is not", kind);
        return STATUS_USAGE;
    }
    if (error == -EINVAL) {
        complain("a lock of kind %s cannot be taken on a descriptor", kind);
        return STATUS_USAGE;
    }
    if (options->path != NULL)
        complain("cannot lock '%s': %s", options->path, filelock_strerror(error));
    else
        complain("cannot lock descriptor %d: %s", options->fd, filelock_strerror(error));
    return status_of_error(-error);
}

/* The flags with which the descriptor, and so the lock, goes to the command or stays here. */
static unsigned flags_for(const struct tool_options *options)
{
    unsigned flags = FILELOCK_ANY_THREAD;

    if (options->path != NULL)
        flags |= FILELOCK_FOLLOW_SYMLINK;
    if (!options->close)
        flags |= run_sharing_flags(options->path != NULL);
    return flags;
}

/* A handle for what the options name: 0, or an exit status. */
static int make_handle(struct filelock **lock, const struct tool_options *options)
{
    struct filelock_options handle = FILELOCK_OPTIONS_INIT;
    int error;

    handle.kind = options->kind;
    handle.flags = flags_for(options);
    handle.range_start = options->range_start;
    handle.range_length = options->range_length;
    if (options->path == NULL)
        error = filelock_new_from_fd(lock, options->fd, &handle);
    else if (*options->path == '\0')
        error = -ENOENT;
    else
        error = filelock_new(lock, options->path, &handle);
    return error == 0 ? STATUS_OK : explain_no_handle(options, error);
}

/* ---- Locking -------------------------------------------------------------------------------- */

/* Says what flock(1) would about a conflict, and who holds the lock. */
static int explain_conflict(const struct filelock *lock, const struct tool_options *options)
{
    int waited = options->timeout_ms != FILELOCK_TRY;

    if (options->verbose)
        complain("%s", waited ? "timeout while waiting to get lock" : "failed to get lock");
    if (options->verbose || waited)
        complain_about(lock, -ETIMEDOUT);
    return options->conflict_status;
}

static int take_lock(struct filelock *lock, const struct tool_options *options)
{
    int error = filelock_acquire(lock, options->mode, options->timeout_ms);

    if (error == 0)
        return STATUS_OK;
    if (error == -ETIMEDOUT)
        return explain_conflict(lock, options);
    complain_about(lock, error);
    if (error == -EINVAL && options->mode == FILELOCK_SHARED)
        return STATUS_USAGE;
    return status_of_error(-error);
}

/*
 * Drops a lock that an earlier process took on the descriptor: a new handle does not know of it, but
 * the system does.  Acquiring turns what the descriptor has into this handle's, which can be
 * released.  A conflict means that somebody else holds the lock, so the descriptor does not.
 */
static int drop_descriptor_lock(struct filelock *lock)
{
    int error = filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY);

    /* A range that is locked shared wants a readable descriptor. */
    if (error == -EBADF || error == -EACCES || error == -EPERM)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error == 0)
        error = filelock_release(lock);
    if (error == 0 || error == -ETIMEDOUT)
        return STATUS_OK;
    complain_about(lock, error);
    return status_of_error(-error);
}

/* A file that is newly opened has no lock to be dropped; opening it is all that there is to do. */
static int drop_file_lock(const char *path)
{
    FILE *file = fopen(path, "r");

    if (file == NULL && errno == ENOENT)
        file = fopen(path, "a");
    if (file == NULL) {
        int error = errno;

        complain("cannot open %s: %s", path, strerror(error));
        return status_of_error(error);
    }
    fclose(file);
    return STATUS_OK;
}

static int change_lock(struct filelock *lock, const struct tool_options *options)
{
    int64_t start = run_clock(), us;
    int status;

    if (options->action == ACTION_LOCK)
        status = take_lock(lock, options);
    else if (options->path != NULL)
        status = drop_file_lock(options->path);
    else
        status = drop_descriptor_lock(lock);
    if (status != STATUS_OK || !options->verbose)
        return status;
    us = run_clock() - start;
    printf(TOOL_NAME ": getting lock took %" PRId64 ".%06" PRId64 " seconds\n", us / 1000000, us % 1000000);
    return STATUS_OK;
}

/* ---- The command ---------------------------------------------------------------------------- */

/* 0, or the exit status when what was written to standard output did not get there. */
static int flush_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    complain("cannot write to standard output: %s", strerror(errno));
    clearerr(stdout);
    return STATUS_FAILURE;
}

static int run(const struct tool_options *options)
{
    char *shell[4];
    char *const *command = options->command;
    int status, output;

    if (options->shell_command != NULL) {
        run_shell_command(options->shell_command, shell);
        command = shell;
    }
    if (command == NULL)
        return flush_output();
    if (options->verbose)
        printf(TOOL_NAME ": executing %s\n", command[0]);
    output = flush_output();
    if (options->no_fork)
        return run_instead(command);
    status = run_command(command, options->close && options->path == NULL ? options->fd : -1);
    return output != STATUS_OK ? output : status;
}

/* Static: still reachable at the exit, where it is deliberately not freed (see lock_and_run). */
static struct filelock *held;

/* What descriptors are asked for, where there are none that could be locked, or be kept from a command. */
static int refuse_lacking(const struct tool_options *options)
{
    if (run_lacks == NULL ||
        !(options->close || options->no_fork || options->fd >= 0 || options->action == ACTION_UNLOCK))
        return STATUS_OK;
    complain("%s", run_lacks);
    return STATUS_USAGE;
}

static int lock_and_run(const struct tool_options *options)
{
    int status = refuse_lacking(options);

    if (status != STATUS_OK)
        return status;
    if (options->path != NULL)
        run_guard_streams();
    status = make_handle(&held, options);
    if (status != STATUS_OK)
        return status;
    status = change_lock(held, options);
    if (status == STATUS_OK)
        status = run(options);
    /*
     * Processes that the command left behind share the lock and keep it when this one lets go.  A
     * descriptor's lock is its owner's, the shell's: it stays.
     */
    if (options->path != NULL)
        filelock_free(held);
    return status;
}

/* ---- Questions ------------------------------------------------------------------------------ */

static void print_owner(const char *path, const struct filelock_owner *owner)
{
    static const char *const life[] = { "whether it is alive cannot be told", "dead", "alive" };

    printf("%s: held by ", path);
    if (owner->pid > 0)
        printf("pid %" PRId64, owner->pid);
    else
        fputs("a process whose pid is not known", stdout);
    if (owner->command[0] != '\0')
        printf(" (%s)", owner->command);
    if (!owner->local && owner->host[0] != '\0')
        printf(" on %s", owner->host);
    printf(", %s\n", life[owner->alive < 0 ? 0 : owner->alive > 0 ? 2 : 1]);
}

static int tell_owner(const struct filelock *lock, const char *path)
{
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    int error = filelock_owner(lock, &owner), output;

    if (error == 0)
        print_owner(path, &owner);
    else if (error == -ENOENT)
        printf("%s: nobody holds it\n", path);
    else if (error == -ENOTSUP)
        complain("who holds %s cannot be known here", path);
    else
        complain("cannot look up who holds %s: %s", path, filelock_strerror(error));
    output = flush_output();
    if (output != STATUS_OK)
        return output;
    if (error == 0 || error == -ENOENT)
        return error == 0 ? STATUS_OK : STATUS_FAILURE;
    return error == -ENOTSUP ? STATUS_UNAVAILABLE : status_of_error(-error);
}

static int break_lock(struct filelock *lock, const char *path)
{
    int error = filelock_break(lock);

    if (error == 0)
        return STATUS_OK;
    if (error == -ENOENT) {
        complain("there is no lock to break at %s", path);
        return STATUS_FAILURE;
    }
    if (error == -ENOTSUP) {
        complain("cannot break %s: a lock of kind %s has no marker to remove, and ends with its holder", path,
                 filelock_kind_name(filelock_kind(lock)));
        return STATUS_UNAVAILABLE;
    }
    complain("cannot break %s: %s", path, filelock_strerror(error));
    return status_of_error(-error);
}

static int ask_or_break(const struct tool_options *options)
{
    struct filelock *lock = NULL;
    int status = make_handle(&lock, options);

    if (status != STATUS_OK)
        return status;
    if (options->action == ACTION_WHO)
        status = tell_owner(lock, options->path);
    else
        status = break_lock(lock, options->path);
    filelock_free(lock);
    return status;
}

static int help(void)
{
    options_help();
    if (run_lacks != NULL)
        printf("\n%s.\n", run_lacks);
    return flush_output();
}

int main(int argc, char **argv)
{
    static char name[] = TOOL_NAME;
    static char *no_arguments[] = { name, NULL };
    struct tool_options options;
    int status = run_arguments(&argc, &argv);

    if (status != STATUS_OK)
        return status;
    /* getopt_long() begins its messages with argv[0]: like all others, with the name alone. */
    if (argc > 0)
        argv[0] = name;
    status = options_parse(&options, argc > 0 ? argc : 1, argc > 0 ? argv : no_arguments);
    if (status != STATUS_OK)
        return status;
    switch (options.action) {
    case ACTION_HELP:
        return help();
    case ACTION_VERSION:
        printf(TOOL_NAME " from libfilelock %s\n", filelock_version());
        return flush_output();
    case ACTION_WHO:
    case ACTION_BREAK:
        return ask_or_break(&options);
    default:
        return lock_and_run(&options);
    }
}
