/* SPDX-License-Identifier: MIT
 *
 * Taking over stale markers.  doc/soft.md has the argument why this is safe.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kind.h"
#include "posix/file.h"
#include "posix/marker.h"
#include "retry.h"
#include "stale.h"

static bool is_at(const struct marker *marker, const char *path)
{
    struct identity id;

    return flk_file_path_identity(path, false, &id) == 0 && flk_file_same(&id, &marker->version.id);
}

/* As far as that can be made out. */
static bool may_be_at(const struct marker *marker, const char *path)
{
    struct identity id;
    int rc = flk_file_path_identity(path, false, &id);

    if (rc == 0 && marker->version.regular)
        return flk_file_same(&id, &marker->version.id);
    return !flk_file_names_nothing(rc);
}

/* With the marker locked: nobody has written to it or replaced it since it was looked at. */
static bool unchanged(const char *path, const struct marker *marker)
{
    struct marker again = *marker;

    return flk_marker_look_inside(&again) == marker->verdict &&
           flk_file_same_version(&again.version, &marker->version) && is_at(marker, path);
}

/* ---- The draft's place ---------------------------------------------------------------------- */

/* Breakers who were killed one after the other on the way to taking over one marker. */
#define CHAIN_MOST 1000

/* Where a breaker works. */
struct place {
    const char *path;
    const struct marker *marker; /* what the path names, and is to go */
    char *aside;                 /* where the draft is to go */
};

/* Somebody has found this one stale, who has put his own under the name that is made of it. */
static bool was_passed(const struct place *place, const struct marker *other)
{
    char *next = flk_marker_aside(place->path, other);
    struct identity id;
    bool passed = next != NULL && flk_file_path_identity(next, false, &id) == 0;

    free(next);
    return passed;
}

/* What another breaker has put where the draft was to go. */
static int look_at_other(const struct place *place, struct suspicion *suspicion, struct marker *other)
{
    int64_t wait;
    int verdict = flk_marker_look(place->aside, other);

    if (verdict == VERDICT_UNCLEAR)
        verdict = was_passed(place, other) ? VERDICT_STALE : flk_marker_suspect(suspicion, other, &wait);
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
    else if (verdict == -ELOOP)
        rc = flk_file_remove(place->aside, false); /* a link is nothing that a breaker makes */
    else if (verdict < 0)
        rc = verdict;
    else if (verdict == VERDICT_STALE &&
             (!is_at(&other, place->aside) || flk_file_same(&other.version.id, &place->marker->version.id)))
        rc = 0; /* the marker itself: somebody has just swapped it out */
    else if (verdict == VERDICT_STALE) {
        free(place->aside);
        place->aside = flk_marker_aside(place->path, &other);
        rc = place->aside != NULL ? -EEXIST : -ENOMEM;
    }
    if (other.fd >= 0)
        flk_marker_unlock(other.fd);
    flk_marker_leave(&other);
    return rc;
}

/*
 * The draft goes to the name that is made of the marker.  Where a breaker was killed who had his there, it
 * goes to the name that is made of that one, and so on.  FLK_TAKEN, or as flk_marker_take_over().
 */
static int take_place(struct place *place, const struct draft *draft, struct suspicion *suspicion, int *fd)
{
    int rc = -EEXIST;

    place->aside = flk_marker_aside(place->path, place->marker);
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

/*
 * What has a name still is emptied: it could not be removed, or a breaker of other rules moves it about.  It would be
 * taken for a breaker at work, or for held, as long as this process lives.
 */
static void drop(const struct marker *own)
{
    struct stat st;

    if (flk_file_stat(own->fd, &st) != 0 || st.st_nlink > 0)
        (void) flk_file_write(own->fd, "", 0);
    flk_file_close(own->fd);
}

static void give_up(const struct place *place, const struct marker *draft)
{
    if (may_be_at(draft, place->aside)) /* nobody else who lives puts anything there */
        (void) flk_file_remove(place->aside, false);
    if (is_at(draft, place->path))
        (void) flk_file_remove(place->path, false);
    drop(draft);
}

/*
 * A breaker that plays by other rules may have been here since the last look.  So what came aside is
 * looked at; what is somebody's goes back.
 */
static int swap_in(const struct place *place, const struct marker *draft)
{
    int rc = flk_marker_swap(place->aside, place->path);

    if (rc == 0 && is_at(place->marker, place->aside)) {
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

    if (rc == 0 && !is_at(place->marker, place->aside)) {
        flk_marker_replace(place->aside, place->path);
        return 0;
    }
    if (rc == 0)
        rc = flk_file_remove(place->aside, false);
    flk_marker_sweep(place->path, NULL);
    return rc;
}

/*
 * Whoever has his draft in its place, and sees then that the path still names the marker, is the one breaker
 * of it: what is dead does not come back, and no name is used twice.
 */
static int supplant(const struct place *place, int *fd)
{
    struct marker draft = { .fd = *fd };
    int rc = flk_file_version(*fd, &draft.version);

    if (rc == 0 && unchanged(place->path, place->marker))
        rc = swap_in(place, &draft);
    if (rc == -ENOTSUP)
        rc = displace(place);
    if (rc == FLK_TAKEN)
        flk_marker_sweep(place->path, &draft.version.id);
    else
        give_up(place, &draft);
    return rc;
}

int flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                         struct suspicion *suspicion, int *fd)
{
    struct place place = { .path = path, .marker = stale };
    int rc;

    if (flk_marker_lock(stale->fd) == -EWOULDBLOCK)
        return FLK_CONTENDED;
    rc = unchanged(path, stale) ? take_place(&place, draft, suspicion, fd) : 0;
    if (rc == FLK_TAKEN)
        rc = supplant(&place, fd);
    free(place.aside);
    flk_marker_unlock(stale->fd);
    return rc < 0 && flk_marker_vanished(rc) ? 0 : rc;
}

/* ---- Breaking ------------------------------------------------------------------------------- */

/* So long a breaker who is at work is waited for. */
#define PATIENCE_MS 500

struct breaking {
    struct place place;
    const struct draft *draft;
    struct suspicion suspicion;
    int fd;
};

static int try_breaking(void *arg)
{
    struct breaking *breaking = arg;
    int rc;

    free(breaking->place.aside);
    rc = take_place(&breaking->place, breaking->draft, &breaking->suspicion, &breaking->fd);
    if (rc == FLK_TAKEN)
        rc = supplant(&breaking->place, &breaking->fd);
    return rc == 0 && may_be_at(breaking->place.marker, breaking->place.path) ? FLK_CONTENDED : rc;
}

/*
 * By the rules for taking over, so that nobody else is at work on the marker.  FLK_TAKEN: one's own is there instead.
 * 0: somebody else's, or none.
 */
static int break_as_breaker(const char *path, const struct marker *marker, const struct draft *draft, int *fd)
{
    struct limits limits = { .timeout_ms = PATIENCE_MS, .cancel = FILELOCK_NO_WAITABLE };
    struct breaking breaking = { .place = { .path = path, .marker = marker }, .draft = draft };
    int rc;

    flk_limits_start(&limits);
    rc = flk_retry(try_breaking, &breaking, &limits);
    free(breaking.place.aside);
    *fd = breaking.fd;
    return rc;
}

static int remove_own(const char *path, int fd)
{
    struct marker own = { .fd = fd };
    int rc;

    (void) flk_file_version(fd, &own.version);
    rc = may_be_at(&own, path) ? flk_file_remove(path, false) : 0;
    drop(&own);
    return rc;
}

/* What a server says is gone may be there all the same. */
static int look_twice(const char *path, struct marker *marker)
{
    int verdict = flk_marker_look(path, marker);

    if (verdict != VERDICT_GONE)
        return verdict;
    flk_marker_leave(marker);
    return flk_marker_look(path, marker);
}

/* What was looked at, and whatever could not be. */
static int remove_seen(const char *path, const struct marker *marker)
{
    if (marker->verdict < 0 || marker->fd < 0)
        return flk_file_remove(path, false);
    return flk_file_remove_same(path, false, &marker->version.id);
}

static int break_there(const char *path, const struct marker *marker, const struct draft *draft)
{
    bool seen = marker->fd >= 0 || marker->verdict >= 0; /* what could not be looked at may not have been there */
    int rc = FLK_CONTENDED, fd = -1;

    if (marker->verdict == VERDICT_STALE || marker->verdict == VERDICT_UNCLEAR)
        rc = break_as_breaker(path, marker, draft, &fd);
    /* Nobody is at work on a living one's marker; or who is does not go on, or there is no room to do it. */
    if (rc == FLK_TAKEN)
        rc = remove_own(path, fd);
    else if (rc != 0)
        rc = remove_seen(path, marker);
    return seen && rc == -ENOENT ? 0 : rc; /* somebody else was as fast */
}

int flk_marker_break(const char *path, const struct draft *draft)
{
    struct marker marker;
    int verdict = look_twice(path, &marker);
    int rc = verdict != VERDICT_GONE ? break_there(path, &marker, draft) : -ENOENT;

    flk_marker_leave(&marker);
    flk_marker_sweep(path, NULL);
    return rc;
}

void flk_marker_tidy(const char *path)
{
    flk_marker_sweep(path, NULL);
}
