/* SPDX-License-Identifier: MIT
 *
 * who.c - tells which process holds a lock, of any kind or of one kind.
 */
#include "who.h"

#include "command.h"
#include "handles.h"
#include "locks.h"
#include "sighting.h"

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

static void print_answer(const struct tool_options *options, const struct answer *answer, const char *maybe)
{
    struct sighting sighting = { .path = options->path, .mode = MODE_UNKNOWN, .maybe = maybe };

    sighting.kind = filelock_kind_name(answer->kind);
    sighting.owner = answer->owner;
    sighting.runs = command_of(&answer->owner, options->path, &sighting.command);
    sighting_print(&sighting, options->json);
}

/*
 * Returns another kind that a lock may be of, if it was found by a handle of this kind; NULL: none.  A handle of kind
 * ofd also finds the holder of a classic POSIX lock, because that excludes OFD locks.
 */
static const char *other_kind(int kind)
{
    return kind == FILELOCK_KIND_OFD ? "posix" : NULL;
}

/* ---- One kind ------------------------------------------------------------------------------- */

static enum outcome ask(const struct tool_options *options, int kind, struct answer *answer)
{
    struct tool_options of_kind = *options;
    struct filelock *lock = NULL;
    enum outcome outcome;

    *answer = (struct answer) { 0, kind, { sizeof answer->owner, 0, 0, 0, "", "" } };
    of_kind.kind = kind;
    outcome = handle_make(&lock, &of_kind);
    if (outcome == OUTCOME_DONE) {
        answer->kind = filelock_kind(lock);
        answer->error = filelock_owner(lock, &answer->owner);
    }
    filelock_free(lock);
    return outcome;
}

/* Says why the holder is not known, or that no process holds the lock.  JSON has no object for the latter. */
static enum outcome explain_no_owner(const struct tool_options *options, int error)
{
    const char *path = options->path;

    if (error == -ENOENT) {
        if (!options->json)
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
        return explain_no_owner(options, answer.error);
    print_answer(options, &answer, other_kind(answer.kind));
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
 * Decides which kind of lock a file with a record has, and drops the other answers.  Returns another kind that the soft
 * lock may be of, or NULL.  The holder of a soft lock keeps its marker locked by flock(2).  The file of a flock lock may
 * have the holder's record (FILELOCK_RECORD_OWNER).  The two look the same, and both keep out the contenders of both
 * kinds.
 */
static const char *settle_marker(struct answer answers[])
{
    struct answer *soft = &answers[FILELOCK_KIND_SOFT], *flock = &answers[FILELOCK_KIND_FLOCK];

    doubt_marker(soft);
    if (is_same(soft, &answers[FILELOCK_KIND_OFD]) || is_same(soft, &answers[FILELOCK_KIND_WIN32]))
        soft->error = -ENOENT;
    if (soft->error != 0 || flock->error != 0)
        return NULL;
    flock->error = -ENOENT;
    return "flock";
}

/* If a soft lock was found, asks about OFD locks again: below the bytes by which the soft lock's waiters queue up. */
static enum outcome leave_queue_out(const struct tool_options *options, struct answer answers[])
{
    struct tool_options below = *options;

    if (answers[FILELOCK_KIND_SOFT].error != 0 || answers[FILELOCK_KIND_OFD].error != 0)
        return OUTCOME_DONE;
    below.range_length = LOCKS_QUEUE_START;
    return ask(&below, FILELOCK_KIND_OFD, &answers[FILELOCK_KIND_OFD]);
}

static enum outcome tell_all(const struct tool_options *options)
{
    struct answer answers[MAX_KINDS];
    int kind, held = 0, error = -ENOENT;
    enum outcome outcome;
    const char *maybe;

    for (kind = FILELOCK_KIND_DEFAULT; kind < MAX_KINDS; kind++) {
        answers[kind].error = -ENOENT;
        /* The marker of a lease is also found as a soft lock's: one line is enough. */
        if (kind == FILELOCK_KIND_LEASE)
            continue;
        if (kind != FILELOCK_KIND_DEFAULT && filelock_kind_name(kind) != NULL && filelock_supported(kind)) {
            outcome = ask(options, kind, &answers[kind]);
            if (outcome != OUTCOME_DONE)
                return outcome;
        }
    }
    outcome = leave_queue_out(options, answers);
    if (outcome != OUTCOME_DONE)
        return outcome;
    maybe = settle_marker(answers);
    for (kind = FILELOCK_KIND_DEFAULT; kind < MAX_KINDS; kind++) {
        if (answers[kind].error == 0) {
            print_answer(options, &answers[kind], kind == FILELOCK_KIND_SOFT ? maybe : other_kind(kind));
            held = 1;
        } else if (error == -ENOENT) {
            error = answers[kind].error;
        }
    }
    return held ? OUTCOME_DONE : explain_no_owner(options, error);
}

/* ---- Every process -------------------------------------------------------------------------- */

/* True if a process of the list has a lock of this kind on the file; pid 0: any process. */
static int holds_kind(const struct sightings *found, const char *path, const char *kind, int64_t pid)
{
    size_t i;

    for (i = 0; i < found->count; i++) {
        const struct sighting *sighting = &found->list[i];

        if (!sighting->waits && strcmp(sighting->kind, kind) == 0 && (pid == 0 || sighting->owner.pid == pid) &&
            sighting->path != NULL && strcmp(sighting->path, path) == 0)
            return 1;
    }
    return 0;
}

/* Any file may have a record.  So if every kind is asked for, the answer is doubted as in settle_marker(). */
enum outcome who_add_soft(const struct tool_options *options, struct sightings *found)
{
    int kind = options->kind == FILELOCK_KIND_LEASE ? FILELOCK_KIND_LEASE : FILELOCK_KIND_SOFT;
    struct sighting sighting = { .path = options->path, .mode = FILELOCK_EXCLUSIVE };
    struct answer soft;
    enum outcome outcome = ask(options, kind, &soft);

    sighting.kind = filelock_kind_name(kind);
    if (outcome != OUTCOME_DONE)
        return outcome;
    if (options->every_kind)
        doubt_marker(&soft);
    if (soft.error != 0 || holds_kind(found, options->path, "ofd", soft.owner.pid) ||
        holds_kind(found, options->path, "posix", soft.owner.pid))
        return OUTCOME_DONE;
    sighting.maybe = holds_kind(found, options->path, "flock", 0) ? "flock" : NULL;
    sighting.owner = soft.owner;
    if (sightings_add(found, &sighting) != 0)
        return explain_no_owner(options, -ENOMEM);
    return OUTCOME_DONE;
}

/* Returns the kind; for DEFAULT, the kind that it means.  A handle knows that, and making a handle touches no file. */
static int meant_kind(int kind)
{
    struct filelock *lock = NULL;

    if (kind == FILELOCK_KIND_DEFAULT && filelock_new(&lock, ".", NULL) == 0)
        kind = filelock_kind(lock);
    filelock_free(lock);
    return kind;
}

int who_asks_for(const struct tool_options *options, const struct sighting *sighting)
{
    int64_t last = sighting->length == 0 ? INT64_MAX : sighting->start + (sighting->length - 1);
    const char *kind;

    if (options->every_kind)
        return 1;
    kind = filelock_kind_name(meant_kind(options->kind));
    if (strcmp(sighting->kind, kind) != 0 && !(strcmp(kind, "ofd") == 0 && strcmp(sighting->kind, "posix") == 0))
        return 0;
    return last >= options->range_start &&
           (options->range_length == 0 || sighting->start < options->range_start + options->range_length);
}

static enum outcome print_processes(const struct tool_options *options, const struct sightings *found)
{
    int held = 0;
    size_t i;

    for (i = 0; i < found->count; i++)
        if (who_asks_for(options, &found->list[i])) {
            sighting_print(&found->list[i], options->json);
            held = 1;
        }
    return held ? OUTCOME_DONE : explain_no_owner(options, -ENOENT);
}

static enum outcome tell_processes(const struct tool_options *options)
{
    struct sightings found = { NULL, 0 };
    int error = locks_list(options->path, &found);
    enum outcome outcome = OUTCOME_DONE;

    /* If the system does not list its locks, only one holder of each kind can be named. */
    if (error == -ENOTSUP)
        return options->every_kind ? tell_all(options) : tell_one(options);
    if (error != 0)
        outcome = explain_no_owner(options, error);
    else if (filelock_supported(FILELOCK_KIND_SOFT) &&
             (options->every_kind || options->kind == FILELOCK_KIND_SOFT || options->kind == FILELOCK_KIND_LEASE))
        outcome = who_add_soft(options, &found);
    if (outcome == OUTCOME_DONE && locks_list_soft_waiters(&found) != 0)
        outcome = explain_no_owner(options, -ENOMEM);
    if (outcome == OUTCOME_DONE)
        outcome = print_processes(options, &found);
    sightings_free(&found);
    return outcome;
}

enum outcome who_tell(const struct tool_options *options)
{
    enum outcome outcome = options->every_process ? tell_processes(options)
                           : options->every_kind  ? tell_all(options)
                                                  : tell_one(options);
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
    end = (size_t) snprintf(holder, sizeof holder, ": held by pid %" PRId64 " (%s)", owner.pid, owner.command);
    if (end > length || strcmp(text + length - end, holder) != 0)
        return;
    snprintf(path, sizeof path, "/dev/fd/%d", options->fd);
    if (command_of(&owner, options->path != NULL ? options->path : path, &command))
        snprintf(text + length, size - length, " for pid %" PRId64 " (%s)", command.pid, command.name);
}
