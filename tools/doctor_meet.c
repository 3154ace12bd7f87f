/* SPDX-License-Identifier: MIT
 *
 * doctor_meet.c - tries locks between two machines, which meet in a directory that both have mounted.
 *
 * Each of the two takes a seat: an empty file that it makes, "1" or "2".  Each message is a file of its own, which
 * appears whole and never changes: a client that caches files cannot show an old state of it.
 * The clocks of two machines cannot be compared, so no times are exchanged: one holds and says so, the other tries.
 */
#include "doctor.h"

#include "doctor_findings.h"
#include "doctor_probe.h"
#include "doctor_process.h"
#include "json.h"
#include "run.h"

#include <filelock.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limit of a wait for a message of the other, once both have met.  A client may show a file a minute late. */
#define MESSAGE_MS 120000

/* Poll interval while a message is awaited: it grows from the first to the second. */
#define FIRST_LOOK_MS 2
#define LAST_LOOK_MS 200

#define PLACE_NAME ".filelock-meet"
#define MESSAGE_SIZE 512

struct meeting {
    char place[4096 + 64];
    int seat;             /* 1 or 2: 1 holds first */
    int said, heard;      /* numbers of messages of this doctor, and of the other */
    char nonce[64];       /* names the messages of this doctor; made anew for each meeting */
    char other_nonce[64]; /* "": not known yet */
    char host[256], other_host[256];
    int64_t other_pid;
    char other_kinds[128]; /* names, with a comma after each */
    struct findings findings;
};

/* What one does to the other in a kind. */
struct act {
    enum filelock_mode held, tried;
    int is_granted; /* both may have it at once */
};

static const struct act acts[] = {
    { FILELOCK_EXCLUSIVE, FILELOCK_EXCLUSIVE, 0 },
    { FILELOCK_SHARED, FILELOCK_SHARED, 1 },
    { FILELOCK_SHARED, FILELOCK_EXCLUSIVE, 0 },
};

/* ---- Messages ------------------------------------------------------------------------------- */

#define PATH_SIZE (4096 + 192)

/* Makes the path of a message.  Number 0 is the introduction, which the other finds by the seat. */
static void name_message(const struct meeting *meeting, char *path, int is_own, int number)
{
    if (number == 0)
        snprintf(path, PATH_SIZE, "%s/%d.hello", meeting->place, is_own ? meeting->seat : 3 - meeting->seat);
    else
        snprintf(path, PATH_SIZE, "%s/%s.%d", meeting->place, is_own ? meeting->nonce : meeting->other_nonce, number);
}

/* Says a message to the other.  Returns 0 or an errno value. */
static int say(struct meeting *meeting, const char *format, ...) REPORT_PRINTF(2, 3);

static int say(struct meeting *meeting, const char *format, ...)
{
    char path[PATH_SIZE], message[MESSAGE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    name_message(meeting, path, 1, meeting->said++);
    return place_publish(path, message, strlen(message));
}

static int exists(const char *path)
{
    char byte;

    return place_read(path, &byte, 1) >= 0;
}

/* True if the meeting is over: this doctor's own introduction was removed, or the other's first message. */
static int is_over(const struct meeting *meeting)
{
    char own[PATH_SIZE], others[PATH_SIZE];

    name_message(meeting, own, 1, 0);
    name_message(meeting, others, 0, 1);
    return !exists(own) || (meeting->heard > 1 && !exists(others));
}

/* Reads the next message.  Returns 0, EAGAIN if there is none yet, or an errno value. */
static int look(struct meeting *meeting, char *message)
{
    char path[PATH_SIZE];
    long length;

    name_message(meeting, path, 0, meeting->heard);
    length = place_read(path, message, MESSAGE_SIZE - 1);
    if (length < 0)
        return length == -ENOENT ? EAGAIN : (int) -length;
    message[length] = '\0';
    meeting->heard++;
    return 0;
}

/*
 * Awaits the next message.  A negative time is no limit.  Returns
 *   0          it came
 *   ENOENT     the meeting is over
 *   ETIMEDOUT  it did not come in time
 *   EINTR      this process was told to stop
 *   another    the message cannot be read
 */
static int hear(struct meeting *meeting, char *message, int64_t timeout_ms)
{
    int64_t deadline = run_clock() + (timeout_ms < 0 ? 0 : timeout_ms * 1000), nap = FIRST_LOOK_MS;
    char stir[PATH_SIZE];
    int error, over = 0;

    snprintf(stir, sizeof stir, "%s/%s.stir", meeting->place, meeting->nonce);
    while ((error = look(meeting, message)) == EAGAIN) {
        /* The last message may have come just before the end. */
        if (over)
            return ENOENT;
        if (timeout_ms >= 0 && run_clock() >= deadline)
            return ETIMEDOUT;
        process_nap(nap);
        if (process_stopped())
            return EINTR;
        nap = nap * 2 > LAST_LOOK_MS ? LAST_LOOK_MS : nap * 2;
        if (nap == LAST_LOOK_MS)
            place_stir(stir);
        over = is_over(meeting);
    }
    return error;
}

/* ---- To meet -------------------------------------------------------------------------------- */

/* Takes a seat.  Returns 0, EBUSY if both are taken, or an errno value. */
static int take_seat(struct meeting *meeting)
{
    char path[PATH_SIZE];
    int tries, error = 0;

    /* The directory may be removed by the meeting before, between the two calls. */
    for (tries = 0; tries < 100; tries++) {
        error = place_make_shared(meeting->place);
        for (meeting->seat = 1; error == 0 && meeting->seat <= 2; meeting->seat++) {
            snprintf(path, sizeof path, "%s/%d", meeting->place, meeting->seat);
            error = place_claim(path);
            if (error == 0)
                return 0;
            if (error == EEXIST)
                error = 0;
        }
        if (error == 0)
            return EBUSY;
        if (error != ENOENT && error != EACCES)
            break;
        process_nap(10);
    }
    return error;
}

static void introduce(struct meeting *meeting, char *text, size_t size)
{
    size_t used;
    int i;

    process_host(meeting->host, sizeof meeting->host);
    snprintf(meeting->nonce, sizeof meeting->nonce, "%" PRId64 ".%" PRId64, process_self(), run_clock());
    snprintf(text, size, "filelock-doctor 1 %" PRId64 " %s %s ", process_self(), meeting->nonce,
             meeting->host[0] != '\0' ? meeting->host : "?");
    for (i = 0; i < meeting->findings.count; i++) {
        used = strlen(text);
        snprintf(text + used, size - used, "%s,", filelock_kind_name(meeting->findings.kinds[i].kind));
    }
}

/* Each says what it is, and then the number that the other has said.  A file that is left of an earlier meeting does
 * not know that number.  Returns as hear() does, or EPROTO. */
static int meet(struct meeting *meeting, int64_t timeout_ms)
{
    char message[MESSAGE_SIZE], expected[80];
    int error;

    introduce(meeting, message, sizeof message);
    error = say(meeting, "%s", message);
    if (error == 0)
        error = hear(meeting, message, timeout_ms);
    if (error != 0)
        return error;
    if (sscanf(message, "filelock-doctor 1 %" SCNd64 " %63s %255s %127s", &meeting->other_pid, meeting->other_nonce,
               meeting->other_host, meeting->other_kinds) != 4)
        return EPROTO;
    /* The words become names of files. */
    if (strchr(meeting->other_nonce, '/') != NULL)
        return EPROTO;
    error = say(meeting, "meets %s", meeting->other_nonce);
    if (error == 0)
        error = hear(meeting, message, timeout_ms < 0 || timeout_ms > MESSAGE_MS ? MESSAGE_MS : timeout_ms);
    snprintf(expected, sizeof expected, "meets %s", meeting->nonce);
    return error == 0 && strcmp(message, expected) != 0 ? EPROTO : error;
}

/* ---- To try --------------------------------------------------------------------------------- */

/* Returns the word for what an acquire came to. */
static const char *word_of(int error)
{
    return error == 0 ? "granted" : error == -ETIMEDOUT ? "refused" : error == -EINVAL ? "none" : "failed";
}

/* Says what the own acquire came to, or awaits what the other's came to.  Returns 0 or an errno value. */
static int tell(struct meeting *meeting, struct kind_findings *kind, int error, char *word)
{
    snprintf(word, 16, "%s", word_of(error));
    if (strcmp(word, "failed") == 0)
        snprintf(kind->error, sizeof kind->error, "cannot acquire: %s", filelock_strerror(error));
    return say(meeting, "%s %s", word, kind->error);
}

static int hear_word(struct meeting *meeting, struct kind_findings *kind, char *word)
{
    char message[MESSAGE_SIZE];
    int error = hear(meeting, message, MESSAGE_MS);

    if (error == 0 && sscanf(message, "%15s", word) != 1)
        error = EPROTO;
    if (error == 0 && strcmp(word, "failed") == 0)
        snprintf(kind->error, sizeof kind->error, "the other %.200s", message + strlen(word) + 1);
    return error;
}

struct words {
    char held[16], tried[16], after[16];
};

/* Holds, while the other tries, and lets the other in. */
static int hold(struct meeting *meeting, struct kind_findings *kind, struct probe *probe, const struct act *act,
                struct words *words)
{
    int held = probe_acquire(probe, act->held, PROBE_WAIT_MS, NULL);
    int error = tell(meeting, kind, held, words->held);

    if (error != 0 || held != 0)
        return error;
    error = hear_word(meeting, kind, words->tried);
    if (error != 0)
        return error;
    held = probe_release(probe, NULL);
    error = say(meeting, held == 0 ? "released" : "failed cannot release");
    return error != 0 ? error : hear_word(meeting, kind, words->after);
}

/* Tries, while the other holds, and acquires what the other lets go. */
static int try(struct meeting *meeting, struct kind_findings *kind, struct probe *probe, const struct act *act,
               struct words *words)
{
    char released[16];
    int tried, error = hear_word(meeting, kind, words->held);

    if (error != 0 || strcmp(words->held, "granted") != 0)
        return error;
    tried = probe_acquire(probe, act->tried, FILELOCK_TRY, NULL);
    if (tried == 0)
        tried = probe_release(probe, NULL);
    error = tell(meeting, kind, tried, words->tried);
    if (error == 0)
        error = hear_word(meeting, kind, released);
    if (error != 0)
        return error;
    tried = probe_acquire(probe, act->tried, PROBE_WAIT_MS, NULL);
    if (tried == 0)
        tried = probe_release(probe, NULL);
    return tell(meeting, kind, tried, words->after);
}

/* Notes what the words say about the kind.  Both sides hear and say the same words, so they come to the same. */
static void judge(struct kind_findings *kind, const struct act *act, const struct words *words)
{
    enum finding *finding = act->is_granted ? &kind->shares : &kind->excludes;
    const char *expected = act->is_granted ? "granted" : "refused", *opposite = act->is_granted ? "refused" : "granted";

    if (strcmp(words->tried, opposite) == 0)
        *finding = FAILS;
    else if (strcmp(words->tried, expected) == 0 && strcmp(words->after, "granted") == 0 && *finding == NOT_TRIED)
        *finding = WORKS;
    if (strcmp(words->after, "refused") == 0) {
        kind->waiting = WAITING_LOST;
        snprintf(kind->error, sizeof kind->error, "a lock that one has released is not free for the other");
    }
}

/* Tries one kind in both directions.  Returns 0 or an errno value: the meeting is over. */
static int try_kind(struct meeting *meeting, struct kind_findings *kind)
{
    struct probe probe = { { 0, FILELOCK_NO_WAITABLE, FILELOCK_NO_WAITABLE, FILELOCK_NO_WAITABLE } };
    char path[4096 + 128];
    size_t i;
    int holder, error;

    snprintf(path, sizeof path, "%s/lock.%s", meeting->place, filelock_kind_name(kind->kind));
    error = probe_start(&probe, kind->kind, path);
    for (i = 0; error == 0 && i < sizeof acts / sizeof *acts; i++)
        for (holder = 1; error == 0 && holder <= 2; holder++) {
            struct words words = { "", "", "" };

            error = (holder == meeting->seat ? hold : try)(meeting, kind, &probe, &acts[i], &words);
            if (error == 0)
                judge(kind, &acts[i], &words);
        }
    /* If only one direction was tried, nothing is proved. */
    if (error == 0 && kind->error[0] != '\0' && kind->excludes == WORKS)
        kind->excludes = NOT_TRIED;
    probe_end(&probe);
    return error;
}

static int other_has(const struct meeting *meeting, int kind)
{
    char name[32];
    const char *at;

    snprintf(name, sizeof name, "%s,", filelock_kind_name(kind));
    at = strstr(meeting->other_kinds, name);
    return at != NULL && (at == meeting->other_kinds || at[-1] == ',');
}

static int try_kinds(struct meeting *meeting)
{
    char message[MESSAGE_SIZE];
    int error = 0, i;

    for (i = 0; error == 0 && i < meeting->findings.count; i++) {
        struct kind_findings *kind = &meeting->findings.kinds[i];

        if (other_has(meeting, kind->kind))
            error = try_kind(meeting, kind);
        else
            snprintf(kind->error, sizeof kind->error, "the other has no locks of this kind");
    }
    if (error != 0)
        return error;
    /* The first that reads the other's last message removes the directory. */
    error = say(meeting, "bye");
    if (error == 0)
        error = hear(meeting, message, MESSAGE_MS);
    return error == ENOENT ? 0 : error;
}

/* ---- To tell -------------------------------------------------------------------------------- */

static const struct kind_findings *choose(const struct findings *findings)
{
    const struct kind_findings *judged = findings_judged(findings);
    int i;

    if (judged->excludes == WORKS)
        return judged;
    for (i = 0; i < findings->count; i++)
        if (findings->kinds[i].excludes == WORKS)
            return &findings->kinds[i];
    return NULL;
}

static void conclude(struct findings *findings)
{
    const struct kind_findings *best = choose(findings), *judged = findings_judged(findings);

    findings->recommended = best != NULL ? best->kind : -1;
    if (best == NULL)
        snprintf(findings->advice, sizeof findings->advice, "No kind of lock was seen to exclude between the two.");
    else if (best == judged)
        snprintf(findings->advice, sizeof findings->advice, "Use %s: it excludes between the two.",
                 filelock_kind_name(best->kind));
    else
        snprintf(findings->advice, sizeof findings->advice, "Use %s: %s %s between the two.",
                 filelock_kind_name(best->kind), filelock_kind_name(judged->kind),
                 judged->excludes == FAILS ? "does not exclude" : "could not be tried");
}

static int same_host(const struct meeting *meeting)
{
    return strcmp(meeting->host, meeting->other_host) == 0;
}

static void print(const struct meeting *meeting)
{
    const struct findings *findings = &meeting->findings;
    int i;

    printf("%s\nmet: pid %" PRId64 " on %s\n", findings->directory, meeting->other_pid, meeting->other_host);
    if (same_host(meeting))
        puts("both run on this host: this proves nothing about other machines");
    printf("\n%-16s  %-8s  %s\n", "kind", "excludes", "shared");
    for (i = 0; i < findings->count; i++) {
        const struct kind_findings *kind = &findings->kinds[i];
        char name[64];

        snprintf(name, sizeof name, "%s%s", filelock_kind_name(kind->kind),
                 kind->kind != findings->judged ? ""
                 : findings->is_default         ? " (default)"
                                                : " (judged)");
        printf("%-16s  %-8s  %s\n", name, finding_text(kind->excludes), finding_text(kind->shares));
    }
    for (i = 0; i < findings->count; i++)
        if (findings->kinds[i].error[0] != '\0')
            printf("%s: %s\n", filelock_kind_name(findings->kinds[i].kind), findings->kinds[i].error);
    printf("\n%s\n", findings->advice);
}

static void print_json(const struct meeting *meeting)
{
    const struct findings *findings = &meeting->findings;
    int i;

    fputs("{\n  \"directory\": ", stdout);
    (void) put_json_string(stdout, findings->directory);
    printf(",\n  \"met\": {\"pid\": %" PRId64 ", \"host\": ", meeting->other_pid);
    (void) put_json_string(stdout, meeting->other_host);
    printf(", \"same_host\": %s},\n  \"kinds\": [\n", same_host(meeting) ? "true" : "false");
    for (i = 0; i < findings->count; i++) {
        const struct kind_findings *kind = &findings->kinds[i];

        printf("    {\"kind\": \"%s\", \"excludes\": %s, \"shared\": %s, \"error\": ", filelock_kind_name(kind->kind),
               finding_json(kind->excludes), finding_json(kind->shares));
        if (kind->error[0] != '\0')
            (void) put_json_string(stdout, kind->error);
        else
            fputs("null", stdout);
        puts(i + 1 < findings->count ? "}," : "}");
    }
    printf("  ],\n  \"judged\": \"%s\",\n  \"judged_excludes\": %s,\n  \"recommended\": ",
           filelock_kind_name(findings->judged), findings_judged(findings)->excludes == WORKS ? "true" : "false");
    if (findings->recommended < 0)
        fputs("null", stdout);
    else
        (void) put_json_string(stdout, filelock_kind_name(findings->recommended));
    fputs(",\n  \"advice\": ", stdout);
    (void) put_json_string(stdout, findings->advice);
    fputs("\n}\n", stdout);
}

/* Says why the meeting came to nothing.  has_met: the two have spoken to each other. */
static enum outcome explain(const struct meeting *meeting, int error, int has_met)
{
    switch (error) {
    case EBUSY:
        complain("two others meet in %s already; if they do not, remove it", meeting->place);
        return OUTCOME_UNAVAILABLE;
    case ETIMEDOUT:
        complain(has_met ? "the other in %s does not answer" : "no other doctor came to %s", meeting->place);
        return OUTCOME_UNAVAILABLE;
    case ENOENT:
        complain("the other in %s has left before the end", meeting->place);
        return OUTCOME_UNAVAILABLE;
    case EPROTO:
    case EMSGSIZE:
        complain("what was left in %s is of another meeting: start both doctors again", meeting->place);
        return OUTCOME_UNAVAILABLE;
    default:
        complain("cannot meet in %s: %s", meeting->place, strerror(error));
        return outcome_of_error(error);
    }
}

/* Returns 0 when the two have met, with *seated telling whether there is a directory to leave. */
static int find_other(struct meeting *meeting, int64_t timeout_ms, int *seated)
{
    int error, tries;

    /* A meeting that ends may remove the directory, and with it the file of one that has just come; or its own file may
     * still be there. */
    for (tries = 0, error = ENOENT; (error == ENOENT || error == EPROTO) && tries < 20; tries++) {
        if (tries > 0)
            process_nap(50);
        meeting->said = meeting->heard = 0;
        meeting->other_nonce[0] = '\0';
        if (*seated)
            place_leave(meeting->place);
        *seated = 0;
        error = take_seat(meeting);
        if (error != 0)
            return error;
        *seated = 1;
        error = place_adopt(meeting->place);
        if (tries == 0 && meeting->seat == 1)
            complain("waiting in %s for 'filelock --doctor --meet' of another machine", meeting->place);
        if (error == 0)
            error = meet(meeting, timeout_ms);
    }
    return error;
}

enum outcome doctor_meet(const struct tool_options *options)
{
    static struct meeting meeting;
    char directory[4096];
    int error, has_met = 0, seated = 0;
    enum outcome output;

    process_prepare();
    if (!findings_begin(&meeting.findings, directory, options->every_kind ? FILELOCK_KIND_DEFAULT : options->kind)) {
        complain("locks of kind %s are not available here", filelock_kind_name(options->kind));
        return OUTCOME_UNAVAILABLE;
    }
    error = place_resolve(options->path, directory, sizeof directory);
    if (error != 0) {
        complain("cannot try locks in %s: %s", options->path, strerror(error));
        return outcome_of_error(error);
    }
    snprintf(meeting.place, sizeof meeting.place, "%s/" PLACE_NAME, directory);
    error = find_other(&meeting, options->timeout_ms, &seated);
    if (error == 0) {
        has_met = 1;
        error = try_kinds(&meeting);
    }
    if (seated)
        place_leave(meeting.place);
    process_obey();
    if (error != 0)
        return explain(&meeting, error, has_met);
    conclude(&meeting.findings);
    if (options->json)
        print_json(&meeting);
    else
        print(&meeting);
    output = report_flush();
    if (output != OUTCOME_DONE)
        return output;
    return findings_judged(&meeting.findings)->excludes == WORKS ? OUTCOME_DONE : OUTCOME_NONE;
}
