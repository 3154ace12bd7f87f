/* SPDX-License-Identifier: MIT
 *
 * Whose is a marker, and is he dead?  And if so, removing it, among any number who do.
 *
 * The rules are those of protocol 1 of Python's filelock: stale only on proof of death.  What tells
 * of no owner goes after it has stood unchanged for a while on the contender's own clock.
 */
#ifndef FLK_STALE_H
#define FLK_STALE_H

#include "platform.h"
#include "record.h"

enum verdict {
    VERDICT_OPEN,    /* not made yet: the record tells of an owner, or of none */
    VERDICT_GONE,    /* there is no marker */
    VERDICT_HELD,    /* by somebody, as far as can be told */
    VERDICT_UNCLEAR, /* no word of an owner, or a lease: stale if it stands unchanged for the grace */
    VERDICT_STALE    /* its owner is provably dead */
};

/* One look at a marker. */
struct marker {
    int fd; /* -1: could not be opened */
    struct file_version version;
    struct record record; /* pid 0: there is none that could be read */
    bool local;           /* its pid means something here */
    bool alive;           /* its owner is known to be, by other means */
    int verdict;          /* or -errno */
    int64_t grace;        /* ns; of UNCLEAR */
};

/* Since when a marker has been looking the same.  Zero: nothing was seen. */
struct suspicion {
    struct file_version version;
    int64_t since; /* ns; 0: none */
};

/*
 * Looks; a verdict or -errno (-ELOOP, -EISDIR: no marker can be here).  What was opened is closed
 * by flk_marker_leave(), whatever was returned.
 */
int flk_marker_look(const char *path, struct marker *marker);
void flk_marker_leave(struct marker *marker);

/* A look in two steps: what is there, and, of an OPEN verdict, whether its owner is alive. */
void flk_marker_read(const char *path, struct marker *marker);
int flk_marker_judge(struct marker *marker);

/* Looks at what is open once more: its owner may have written it anew.  As flk_marker_look(). */
int flk_marker_look_inside(struct marker *marker);

/*
 * Of an UNCLEAR marker: STALE after the grace, if it has looked the same since the suspicion began;
 * else UNCLEAR, and left is set to the ns until the next look is due.  -EMFILE, -ENFILE, -ENOMEM: that cannot be seen.
 */
int flk_marker_suspect(struct suspicion *suspicion, const struct marker *marker, int64_t *left);

/* Whether that is what is said of a marker that is no longer there. */
bool flk_marker_vanished(int rc);

/* ---- Taking over, by the platform ---------------------------------------------------------- */

/* A marker to be made. */
struct draft {
    unsigned mode; /* as options.file_mode */
    bool make_parents;
    size_t size;
    char text[RECORD_SIZE];
};

/*
 * Puts the draft in the place of a stale marker, in one step: FLK_TAKEN, *fd is the new one.  Or 0,
 * look again; FLK_CONTENDED, it is somebody's after all, or somebody is at it; or -errno.  The
 * suspicion is of what another breaker may have left.
 */
#define FLK_TAKEN 2
int flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                         struct suspicion *suspicion, int *fd);

/*
 * As filelock_break(): removes the marker, whoever's it is, and what the dead have left beside it.  The draft is
 * for who cannot do so without taking it over.
 */
int flk_marker_break(const char *path, const struct draft *draft);

/* Removes what the dead have left beside a path whose marker the caller has removed. */
void flk_marker_tidy(const char *path);

#endif
