/* SPDX-License-Identifier: MIT
 *
 * Taking over stale markers.  doc/soft.md has the argument why this is safe.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kind.h"
#include "posix/marker.h"
#include "stale.h"

static bool is_at(const struct marker *marker, const char *path)
{
    struct identity id;

    return flk_file_path_identity(path, false, &id) == 0 && flk_file_same(&id, &marker->version.id);
}

/* With the marker locked: nobody has written to it or replaced it since it was looked at. */
static bool unchanged(const char *path, const struct marker *marker)
{
    struct marker again = *marker;

    return flk_marker_look_inside(&again) == marker->verdict && flk_file_same_version(&again.version, &marker->version) &&
           is_at(marker, path);
}

/* ---- The draft's place ---------------------------------------------------------------------- */

/* Breakers who were killed one after the other on the way to taking over one marker. */
#define CHAIN_MOST 1000

/* Where a breaker works. */
struct place {
    const char *path;
    const struct marker *stale; /* what the path names */
    bool locked;                /* and it is: no other breaker that locks is at work */
    char *aside;                /* where the draft is to go */
};

/* What another breaker has put where the draft was to go. */
static int look_at_other(const struct place *place, struct suspicion *suspicion, struct marker *other)
{
    int64_t wait;
    int verdict = flk_marker_look(place->aside, other);

    if (verdict == VERDICT_UNCLEAR)
        verdict = place->locked ? VERDICT_STALE : flk_marker_suspect(suspicion, other, &wait);
    if (other->fd >= 0 && flk_marker_lock(other->fd) == -EWOULDBLOCK)
        verdict = VERDICT_HELD;
    return verdict;
}

/*
 * On to the name that is made of what a dead breaker has left: -EEXIST.  It is seen to be there once more after its
 * maker was found dead: one who lived until then may have given up, and another have come after.
 */
static int pass(struct place *place, struct suspicion *suspicion)
{
    struct marker other;
    int verdict = look_at_other(place, suspicion, &other), rc = FLK_CONTENDED;

    if (verdict == VERDICT_GONE)
        rc = 0;
    else if (verdict < 0)
        rc = flk_file_remove(place->aside, false); /* nothing that a breaker makes */
    else if (verdict == VERDICT_STALE && !is_at(&other, place->aside))
        rc = 0;
    else if (verdict == VERDICT_STALE) {
        free(place->aside);
        place->aside = flk_marker_aside(place->path, &other);
        rc = place->aside != NULL ? -EEXIST : -ENOMEM;
    }
    flk_marker_leave(&other);
    return rc;
}

/*
 * The draft goes to the name that is made of the stale marker.  Where a breaker was killed who had his there, it
 * goes to the name that is made of that one, and so on.  FLK_TAKEN, or as flk_marker_take_over().
 */
static int take_place(struct place *place, const struct draft *draft, struct suspicion *suspicion, int *fd)
{
    int rc = -EEXIST;

    place->aside = flk_marker_aside(place->path, place->stale);
    if (place->aside == NULL)
        return -ENOMEM;
    for (int i = 0; rc == -EEXIST && i < CHAIN_MOST; i++) {
        rc = flk_marker_publish_aside(place->path, place->aside, draft, fd);
        if (rc == 0)
            return FLK_TAKEN;
        if (rc == -EEXIST)
            rc = pass(place, suspicion);
    }
    return rc == -EEXIST ? FLK_CONTENDED : rc;
}

/* ---- Taking over ---------------------------------------------------------------------------- */

/* One's own draft is removed also where that cannot be made out: nobody else puts anything there. */
static void remove_draft(const struct place *place, const struct marker *draft)
{
    struct identity id;

    if (flk_file_path_identity(place->aside, false, &id) != 0 || flk_file_same(&id, &draft->version.id))
        (void) flk_file_remove(place->aside, false);
}

/*
 * A breaker that plays by other rules may have been here since the last look.  So what came aside is
 * looked at; what is somebody's goes back.
 */
static int swap_in(const struct place *place, const struct marker *draft)
{
    int rc = flk_marker_swap(place->aside, place->path);

    if (rc == 0 && is_at(place->stale, place->aside)) {
        (void) flk_file_remove(place->aside, false);
        return is_at(draft, place->path) ? FLK_TAKEN : 0;
    }
    if (rc == 0)
        (void) flk_marker_swap(place->aside, place->path);
    return rc;
}

/* For want of swapping: the path is free then, and anybody's. */
static int displace(const struct place *place)
{
    int rc = flk_marker_displace(place->path, place->aside);

    if (rc == 0 && !is_at(place->stale, place->aside)) {
        flk_marker_replace(place->aside, place->path);
        return 0;
    }
    if (rc == 0)
        rc = flk_file_remove(place->aside, false);
    flk_marker_sweep(place->path, NULL);
    return rc;
}

/*
 * Whoever has his draft in its place, and sees then that the path still names the stale marker, is the one breaker
 * of it: what is dead does not come back, and no name is used twice.
 */
static int supplant(const struct place *place, int *fd)
{
    struct marker draft = { .fd = *fd };
    int rc = flk_file_version(*fd, &draft.version);

    if (rc != 0) {
        (void) flk_file_remove(place->aside, false);
        flk_file_close(*fd);
        return rc;
    }
    if (unchanged(place->path, place->stale))
        rc = swap_in(place, &draft);
    if (rc == -ENOTSUP)
        rc = displace(place);
    if (rc == FLK_TAKEN) {
        flk_marker_sweep(place->path, &draft.version.id);
        return rc;
    }
    remove_draft(place, &draft);
    /* Nobody but a breaker of other rules can have put it there: nobody would ever remove it. */
    if (is_at(&draft, place->path))
        (void) flk_file_remove(place->path, false);
    flk_file_close(*fd);
    return rc;
}

int flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                         struct suspicion *suspicion, int *fd)
{
    int locked = flk_marker_lock(stale->fd), rc;
    struct place place = { .path = path, .stale = stale, .locked = locked == 0 };

    if (locked == -EWOULDBLOCK)
        return FLK_CONTENDED;
    if (!unchanged(path, stale))
        return 0;
    rc = take_place(&place, draft, suspicion, fd);
    if (rc == FLK_TAKEN)
        rc = supplant(&place, fd);
    free(place.aside);
    return rc < 0 && flk_marker_vanished(rc) ? 0 : rc;
}

void flk_marker_tidy(const char *path)
{
    flk_marker_sweep(path, NULL);
}
