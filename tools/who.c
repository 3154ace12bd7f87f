/* SPDX-License-Identifier: MIT
 *
 * who.c - tells which process holds a lock, of any kind or of one kind.
 */
#include "who.h"

#include "command.h"
#include "handles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What was found about locks of one kind. */
struct answer {
    int error; /* of filelock_owner() */
    int kind;  /* never FILELOCK_KIND_DEFAULT */
    struct filelock_owner owner;
};

/* Bounds the numbers of kinds: more than there are, or will be. */
#define MAX_KINDS 16

/* ---- One line ------------------------------------------------------------------------------- */

static const char *lock_name(int kind)
{
    switch (kind) {
    case FILELOCK_KIND_FLOCK:
        return "a flock lock";
    case FILELOCK_KIND_OFD:
        return "an fcntl lock";
    case FILELOCK_KIND_WIN32:
        return "a LockFileEx lock";
    case FILELOCK_KIND_SOFT:
        return "a soft lock";
    case FILELOCK_KIND_LEASE:
        return "a lease";
    default:
        return filelock_kind_name(kind);
    }
}

/* Prints the command rather than the program that holds the lock for it: users know the command. */
static void print_process(const struct filelock_owner *owner, const char *path)
{
    struct command command;
    int runs = command_of(owner, path, &command);

    if (runs && command.holds) {
        printf("pid %" PRId64 " (%s)", command.pid, command.name);
        return;
    }
    if (owner->pid > 0)
        printf("pid %" PRId64, owner->pid);
    else
        fputs("a process whose pid is not known", stdout);
    if (owner->command[0] != '\0')
        printf(" (%s)", owner->command);
    if (runs)
        printf(" for pid %" PRId64 " (%s)", command.pid, command.name);
}

static void print_owner(const char *path, const struct filelock_owner *owner, const char *with)
{
    static const char *const life[] = { "whether it is alive cannot be told", "dead", "alive" };

    printf("%s: held by ", path);
    print_process(owner, path);
    if (!owner->local && owner->host[0] != '\0')
        printf(" on %s", owner->host);
    printf(" with %s, %s\n", with, life[owner->alive < 0 ? 0 : owner->alive > 0 ? 2 : 1]);
}

/* ---- One kind ------------------------------------------------------------------------------- */

static enum outcome ask(const struct tool_options *options, int kind, struct answer *answer)
{
    struct tool_options of_kind = *options;
    struct filelock *lock = NULL;
    enum outcome outcome;

    *answer = (struct answer){ 0, kind, { sizeof answer->owner, 0, 0, 0, "", "" } };
    of_kind.kind = kind;
    outcome = handle_make(&lock, &of_kind);
    if (outcome == OUTCOME_DONE) {
        answer->kind = filelock_kind(lock);
        answer->error = filelock_owner(lock, &answer->owner);
    }
    filelock_free(lock);
    return outcome;
}

/* Says why the holder is not known, or that there is none. */
static enum outcome explain_no_owner(const char *path, int error)
{
    if (error == -ENOENT) {
        printf("%s: nobody holds it\n", path);
        return OUTCOME_NONE;
    }
    if (error == -ENOTSUP) {
        complain("who holds %s cannot be known here", path);
        return OUTCOME_UNAVAILABLE;
    }
    complain("cannot look up who holds %s: %s", path, filelock_strerror(error));
    return outcome_of_error(-error);
}

static enum outcome tell_one(const struct tool_options *options)
{
    struct answer answer;
    enum outcome outcome = ask(options, options->kind, &answer);

    if (outcome != OUTCOME_DONE)
        return outcome;
    if (answer.error != 0)
        return explain_no_owner(options->path, answer.error);
    print_owner(options->path, &answer.owner, lock_name(answer.kind));
    return OUTCOME_DONE;
}

/* ---- Every kind ----------------------------------------------------------------------------- */

/*
 * Drops an answer that may be no soft lock.  Any file may be where a marker would be, and the record of an
 * operating-system lock stays when its holder is killed: so a file that names no process, or a dead one, is not taken
 * for a marker.  Nor is a file that cannot be read.
 */
static void doubt_marker(struct answer *soft)
{
    if (soft->error != 0 || soft->owner.pid == 0 || soft->owner.alive == 0)
        soft->error = -ENOENT;
}

/*
 * True if both answers name one process.  Then the record is that of an OFD or LockFileEx lock, which has its own
 * line.
 */
static int is_same(const struct answer *one, const struct answer *other)
{
    return one->error == 0 && other->error == 0 && one->owner.pid == other->owner.pid;
}

/*
 * Settles what a file with a record is, and returns what to call it.  The holder of a soft lock keeps its marker
 * locked by flock(2).  The file of a flock lock may have the holder's record (FILELOCK_RECORD_OWNER).  The two look
 * the same, and both keep the contenders of both kinds out.
 */
static const char *settle_marker(struct answer answers[])
{
    struct answer *soft = &answers[FILELOCK_KIND_SOFT], *flock = &answers[FILELOCK_KIND_FLOCK];

    doubt_marker(soft);
    if (is_same(soft, &answers[FILELOCK_KIND_OFD]) || is_same(soft, &answers[FILELOCK_KIND_WIN32]))
        soft->error = -ENOENT;
    if (soft->error != 0 || flock->error != 0)
        return lock_name(FILELOCK_KIND_SOFT);
    flock->error = -ENOENT;
    return "a soft lock or a recorded flock";
}

static enum outcome tell_all(const struct tool_options *options)
{
    struct answer answers[MAX_KINDS];
    int kind, held = 0, error = -ENOENT;
    const char *marker;

    for (kind = FILELOCK_KIND_DEFAULT; kind < MAX_KINDS; kind++) {
        answers[kind].error = -ENOENT;
        /* The marker of a lease is a soft lock's to those that look at it: one line will do. */
        if (kind == FILELOCK_KIND_LEASE)
            continue;
        if (kind != FILELOCK_KIND_DEFAULT && filelock_kind_name(kind) != NULL && filelock_supported(kind)) {
            enum outcome outcome = ask(options, kind, &answers[kind]);

            if (outcome != OUTCOME_DONE)
                return outcome;
        }
    }
    marker = settle_marker(answers);
    for (kind = FILELOCK_KIND_DEFAULT; kind < MAX_KINDS; kind++) {
        if (answers[kind].error == 0) {
            print_owner(options->path, &answers[kind].owner, kind == FILELOCK_KIND_SOFT ? marker : lock_name(kind));
            held = 1;
        } else if (error == -ENOENT) {
            error = answers[kind].error;
        }
    }
    return held ? OUTCOME_DONE : explain_no_owner(options->path, error);
}

enum outcome who_tell(const struct tool_options *options)
{
    enum outcome outcome = options->every_kind ? tell_all(options) : tell_one(options);
    enum outcome output = report_flush();

    return output != OUTCOME_DONE ? output : outcome;
}

/* ---- Sentences about a conflict ------------------------------------------------------------- */

void who_add_command(const struct filelock *lock, const struct tool_options *options, char *text, size_t size)
{
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    size_t length = strlen(text), end;
    struct command command;
    char path[64], holder[128];

    if (filelock_owner(lock, &owner) != 0)
        return;
    /* The holder may be another process than the one that the sentence names. */
    end = (size_t)snprintf(holder, sizeof holder, ": held by pid %" PRId64 " (%s)", owner.pid, owner.command);
    if (end > length || strcmp(text + length - end, holder) != 0)
        return;
    snprintf(path, sizeof path, "/dev/fd/%d", options->fd);
    if (command_of(&owner, options->path != NULL ? options->path : path, &command))
        snprintf(text + length, size - length, " for pid %" PRId64 " (%s)", command.pid, command.name);
}
