/* SPDX-License-Identifier: MIT
 *
 * Finding out whether the owner of a marker is dead, and taking the marker over while other contenders do the same.
 *
 * The rules are those of protocol 1 of Python's filelock: a marker is stale only if its owner is proved dead.  A marker
 * that names no owner is stale when no process that can have made it has it open.  Where one host cannot see that, the
 * marker is stale after it has stood unchanged for a while, by the contender's own clock.  A lease is stale after it
 * has stood unchanged for its duration, whether or not its owner is alive.
 */
#ifndef FLK_STALE_H
#define FLK_STALE_H

#include "outcome.h"
#include "owner/record.h"
#include "system/file.h"
#include "wait/limits.h"

enum verdict {
    VERDICT_OPEN,    /* the record was read, and is not judged yet */
    VERDICT_GONE,    /* there is no marker */
    VERDICT_HELD,    /* the owner is alive, or is not proved dead */
    VERDICT_UNCLEAR, /* the record names no owner, or is a lease: flk_marker_suspect() decides */
    VERDICT_STALE    /* the owner is proved dead */
};

/* One look at a marker. */
struct marker {
    int fd;        /* -1: the marker could not be opened */
    bool borrowed; /* the descriptor is the program's own */
    struct file_version version;
    uint64_t contents;    /* a number made of the bytes of the file */
    struct record record; /* pid 0: no record of a process could be read */
    bool local;           /* the pid in the record means something here */
    bool alive;           /* the owner is known to be alive by other means than its record */
    bool elsewhere;       /* the owner is alive, and the pid in the record is not the pid that it has here */
    int verdict;          /* enum verdict or -errno; -EEXIST: a file that is no marker */
    int64_t grace;        /* ns for which an UNCLEAR marker must stand unchanged */
};

/*
 * How long a marker has stood unchanged.  All zero: no marker is suspected.  The file is kept open where a new file may
 * get the number of a removed one.
 */
struct suspicion {
    struct file_version version;
    uint64_t contents;
    int64_t since; /* ns; 0: no marker is suspected, and no file is open */
    int64_t next;  /* ns; the time of the next search for writers */
    int fd;        /* -1: no file is open */
};

/* True if both looks saw the same file, with the same time of writing and the same bytes. */
bool flk_marker_same(const struct marker *a, const struct marker *b);

/* True if the record is a lease whose owner is not proved dead: only its age can make it stale. */
static inline bool flk_marker_is_lease(const struct marker *marker)
{
    return marker->verdict == VERDICT_UNCLEAR && marker->record.lease != 0;
}

/* Ends a suspicion, and closes its file.  May be called in a forked child. */
void flk_suspicion_end(struct suspicion *suspicion);

/*
 * Looks at the marker.  Returns a verdict or -errno; -ELOOP, -EISDIR, -EEXIST: what is there is no marker.  The caller
 * closes the marker by flk_marker_leave(), whatever was returned.
 */
int flk_marker_look(const char *path, struct marker *marker);
void flk_marker_leave(struct marker *marker);

/*
 * Looks as flk_marker_look() does, to answer a question.  The program keeps the record locks (fcntl(2)) that it has on
 * the file.
 */
int flk_marker_ask(const char *path, struct marker *marker);

/*
 * Looks as flk_marker_look() does, in two steps.  The first reads the record.  If the verdict is then OPEN, the second
 * finds out whether the owner is alive.
 */
void flk_marker_read(const char *path, struct marker *marker);
int flk_marker_judge(struct marker *marker);

/* Looks once more at an open marker, because its record may have changed.  Returns as flk_marker_look() does. */
int flk_marker_look_inside(struct marker *marker);

/*
 * Decides about an UNCLEAR marker by its age.  The suspicion may keep the marker's file, whose fd is then -1.  Returns
 *   VERDICT_STALE    it has stood unchanged for its grace; and it is a lease, or no process is seen to have it open for
 *                    writing
 *   VERDICT_UNCLEAR  *left is set to the ns until the next look is due
 *   -EMFILE, -ENFILE or -ENOMEM: it cannot be seen whether a process has it open
 */
int flk_marker_expire(struct suspicion *suspicion, struct marker *marker, int64_t *left);

/*
 * Decides about an UNCLEAR marker, and returns as flk_marker_expire() does.  A lease is judged by its age, and so is a
 * marker that another host may hold.  For any other marker age proves nothing: it is STALE if it is seen that no
 * process which can have made it has it open.
 */
int flk_marker_suspect(struct suspicion *suspicion, struct marker *marker, int64_t *left);

/* True if the error means that the marker is no longer there. */
bool flk_marker_vanished(int rc);

/* ---- Taking over, by the platform ---------------------------------------------------------- */

/* The marker that a contender is about to publish. */
struct draft {
    unsigned mode; /* as options.file_mode */
    bool make_parents;
    size_t size;
    char text[RECORD_SIZE];
};

/*
 * Puts the draft in the place of a stale marker, in one step.  The suspicion is about a draft that another breaker may
 * have left.  Returns
 *   TAKEN      *fd is the new marker
 *   AGAIN      the path may name another marker now, or none
 *   CONTENDED  a process that lives has the marker locked, or another breaker is at work on it
 *   an error
 */
enum outcome flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                                  struct suspicion *suspicion, int *fd);

/*
 * Waits for breakers of other rules that have judged the stale marker before it was replaced.  Such a breaker moves
 * away the file that the path names by then, which is the caller's new marker.  The time in the limits does not count:
 * the wait has its own.  Returns
 *   TAKEN      the path names the caller's marker, and no such breaker is likely to come any more
 *   CONTENDED  the path does not name it, and neither does any name that breakers use: the marker is lost
 *   an error   what ended the wait: -ECANCELED, -EINTR, -EINVAL
 */
enum outcome flk_marker_outlast(const char *path, const struct identity *own, const struct limits *limits);

/*
 * Removes the marker, whether or not its owner is alive, and what dead processes have left beside it.  The draft is
 * published where the marker can only be removed by taking it over.  Returns as filelock_break() does.
 */
int flk_marker_break(const char *path, const struct draft *draft);

/* Removes what dead processes have left beside a path.  Caller has removed the marker at the path. */
void flk_marker_tidy(const char *path);

#endif
