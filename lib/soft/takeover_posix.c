/* SPDX-License-Identifier: MIT
 *
 * Taking over stale markers.  doc/soft.md has the argument why this is safe.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "outcome.h"
#include "owner/owner.h"
#include "soft/break_names.h"
#include "soft/marker_file.h"
#include "soft/stale.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "wait/await.h"
#include "wait/limits.h"

static bool is_at(const struct marker *marker, const char *path)
{
    struct identity id;

    return flk_file_path_identity(path, false, &id) == 0 && flk_file_same(&id, &marker->version.id);
}

/* True if the marker is at the path, or if that cannot be found out. */
static bool may_be_at(const struct marker *marker, const char *path)
{
    struct identity id;
    int rc = flk_file_path_identity(path, false, &id);

    if (rc == 0 && marker->version.regular)
        return flk_file_same(&id, &marker->version.id);
    return !flk_error_no_file(rc);
}

/*
 * Caller has the marker locked, unless it is a lease.  True if the marker was neither written nor replaced since it was
 * looked at.
 */
static bool unchanged(const char *path, const struct marker *marker)
{
    struct marker again = *marker;

    return flk_marker_look_inside(&again) == marker->verdict && flk_marker_same(&again, marker) && is_at(marker, path);
}

/* ---- The draft's place ---------------------------------------------------------------------- */

/* Give up after this many break names that are taken: drafts of killed breakers, and files that users have planted. */
#define MAX_CHAIN 1000

/* A breaker at work. */
struct breaker {
    const char *path;
    const struct marker *marker; /* the marker at the path, which the draft replaces */
    char *break_name;            /* the name for the draft */
};

/* True if another breaker has found this draft stale: its own draft is under the name that is made of this one. */
static bool was_passed(const struct breaker *breaker, const struct marker *other)
{
    char *next = flk_marker_aside(breaker->path, other);
    struct identity id;
    bool passed = next != NULL && flk_file_path_identity(next, false, &id) == 0;

    free(next);
    return passed;
}

/*
 * Looks at the file that another breaker has put under the break name, and tries to lock it.  Returns a verdict or
 * -errno.
 */
static int look_at_other(const struct breaker *breaker, struct suspicion *suspicion, struct marker *other)
{
    int64_t wait;
    int verdict = flk_marker_look(breaker->break_name, other);
    bool expired = false;

    if (verdict == -EEXIST)
        verdict = VERDICT_STALE; /* no breaker makes such a file */
    if (verdict == VERDICT_UNCLEAR && was_passed(breaker, other)) {
        verdict = VERDICT_STALE;
    } else if (verdict == VERDICT_UNCLEAR) {
        verdict = flk_marker_expire(suspicion, other, &wait);
        expired = verdict == VERDICT_STALE && flk_marker_is_lease(other);
    }
    if (other->fd >= 0 && flk_marker_lock(other->fd) == -EWOULDBLOCK && !expired)
        verdict = VERDICT_HELD;
    return verdict;
}

/*
 * True if the path's directory is sticky: only a file's owner, the directory's and root may remove or rename it there.
 */
static bool is_sticky(const char *path, uid_t *owner)
{
    char *folder = flk_file_parent(path);
    struct stat st;
    bool sticky = folder != NULL && stat(folder, &st) == 0 && (st.st_mode & S_ISVTX) != 0;

    if (sticky)
        *owner = st.st_uid;
    free(folder);
    return sticky;
}

/*
 * True if no breaker has made the file under the break name: it is no regular file; or it is a link to the marker
 * itself; or the directory is sticky, and the file belongs to a user who cannot remove the marker.
 */
static bool is_planted(const struct breaker *breaker)
{
    struct stat there, marker;
    uid_t owner = 0;

    if (lstat(breaker->break_name, &there) != 0)
        return false;
    if (!S_ISREG(there.st_mode))
        return true;
    if (flk_file_stat(breaker->marker->fd, &marker) != 0)
        return false;
    if (there.st_dev == marker.st_dev && there.st_ino == marker.st_ino)
        return is_at(breaker->marker, breaker->path); /* else a breaker has just swapped it out */
    return is_sticky(breaker->path, &owner) && there.st_uid != 0 && there.st_uid != owner &&
           there.st_uid != marker.st_uid;
}

/* Sets the break name.  Returns -EEXIST, so that take_place() tries it; or -ENOMEM. */
static int set_break_name(struct breaker *breaker, char *next)
{
    free(breaker->break_name);
    breaker->break_name = next;
    return next != NULL ? -EEXIST : -ENOMEM;
}

/*
 * Goes on to the break name that is made of a dead breaker's draft.  After the maker of the draft was found dead, the
 * draft must still be there.  Else the maker may have lived until it gave its draft up, and another breaker may have
 * put a draft there.  Returns
 *   -EEXIST    the break name is a new one, to be tried
 *   AGAIN      the draft that was there is gone
 *   CONTENDED  the maker of the draft is alive, or is not proved dead
 *   an error
 */
static enum outcome step_past(struct breaker *breaker, struct suspicion *suspicion)
{
    struct marker other;
    int verdict = look_at_other(breaker, suspicion, &other);
    enum outcome rc = CONTENDED;

    if (verdict == VERDICT_GONE)
        rc = AGAIN;
    else if (verdict < 0)
        rc = verdict;
    else if (verdict == VERDICT_STALE &&
             (!is_at(&other, breaker->break_name) || flk_file_same(&other.version.id, &breaker->marker->version.id)))
        rc = AGAIN; /* the draft has gone, or is the marker itself, which another breaker has just swapped out */
    else if (verdict == VERDICT_STALE)
        rc = set_break_name(breaker, flk_marker_aside(breaker->path, &other));
    if (other.fd >= 0)
        flk_marker_unlock(other.fd);
    flk_marker_leave(&other);
    return rc;
}

/*
 * Publishes the draft under the name that is made of the marker.  If a killed breaker has left its draft there, the
 * name is made of that draft, and so on.  Returns TAKEN, or as flk_marker_take_over() does.
 */
static enum outcome take_place(struct breaker *breaker, const struct draft *draft, struct suspicion *suspicion, int *fd)
{
    int rc = -EEXIST;

    breaker->break_name = flk_marker_aside(breaker->path, breaker->marker);
    if (breaker->break_name == NULL)
        return -ENOMEM;
    for (int i = 0; rc == -EEXIST && i < MAX_CHAIN; i++) {
        rc = flk_marker_publish_aside(breaker->path, breaker->break_name, draft, fd);
        if (rc == 0)
            return TAKEN;
        if (rc == -EEXIST && is_planted(breaker))
            rc = set_break_name(breaker, flk_marker_aside_next(breaker->path, breaker->break_name));
        else if (rc == -EEXIST)
            rc = step_past(breaker, suspicion);
    }
    return rc == -EEXIST ? CONTENDED : rc;
}

/* ---- Taking over ---------------------------------------------------------------------------- */

/*
 * Closes a draft that is given up.  If the draft still has a name, it is disowned: it could not be removed, or a
 * breaker of other rules is moving it.  Else it would count as held, or as that of a breaker at work, as long as this
 * process lives.
 */
static void discard_draft(const struct marker *own)
{
    struct stat st;

    if (flk_file_stat(own->fd, &st) != 0 || st.st_nlink > 0)
        (void) flk_owner_disown(own->fd);
    flk_file_close(own->fd);
}

/* Removes the draft, which is under the break name, at the path, or where a breaker of other rules has moved it. */
static void give_up(const struct breaker *breaker, const struct marker *draft)
{
    bool aside = may_be_at(draft, breaker->break_name); /* no other process that lives puts a file there */

    if (aside)
        (void) flk_file_remove(breaker->break_name, false);
    if (is_at(draft, breaker->path))
        (void) flk_file_remove(breaker->path, false);
    else if (!aside)
        flk_marker_sweep(breaker->path, &draft->version.id); /* a breaker of other rules has moved it away */
    discard_draft(draft);
}

/*
 * Swaps the draft and the marker.  A breaker of other rules may have changed the path since the last look.  So the file
 * that was swapped out is looked at, and is swapped back if it is not the marker.  Returns
 *   TAKEN     the path names the draft
 *   AGAIN     the path may name another marker now, or none
 *   -ENOTSUP  names cannot be swapped here, and nothing has moved
 */
static enum outcome swap_in(const struct breaker *breaker, const struct marker *draft)
{
    int rc = flk_marker_swap(breaker->break_name, breaker->path);

    if (rc == 0 && is_at(breaker->marker, breaker->break_name)) {
        (void) flk_file_remove(breaker->break_name, false);
        return is_at(draft, breaker->path) ? TAKEN : AGAIN;
    }
    if (rc == 0)
        (void) flk_marker_swap(breaker->break_name, breaker->path);
    else if (is_at(draft, breaker->break_name) && is_at(breaker->marker, breaker->path))
        return -ENOTSUP; /* both are where they were, whatever the error was */
    return AGAIN;
}

/* Moves the marker to that name and removes it.  Puts it back if it is another one.  Returns 0 or -errno. */
static int remove_by(const struct breaker *breaker, const char *name)
{
    int rc = flk_marker_displace(breaker->path, name);

    if (rc == 0 && !is_at(breaker->marker, name)) {
        flk_marker_replace(name, breaker->path);
        return 0;
    }
    if (rc == 0)
        rc = flk_file_remove(name, false);
    flk_marker_sweep(breaker->path, NULL);
    return rc;
}

/*
 * Moves the marker away and removes it, where names cannot be swapped.  Returns AGAIN, because any contender may
 * publish at the path now, or an error.
 */
static enum outcome move_stale_away(const struct breaker *breaker)
{
    char *name = flk_marker_away(breaker->path, breaker->break_name);
    int rc = name != NULL ? remove_by(breaker, name) : -ENOMEM;

    free(name);
    return rc == 0 ? AGAIN : rc;
}

/*
 * Replaces the marker by the draft, or gives the draft up.  Caller has published the draft under the break name.
 * Returns as flk_marker_take_over() does.
 *
 * Only one breaker of a marker gets here and finds that the path still names the marker: a dead owner never returns,
 * and a break name is never used for another marker.
 */
static enum outcome swap_in_draft(const struct breaker *breaker, int *fd)
{
    struct marker draft = { .fd = *fd };
    enum outcome rc = flk_file_version(*fd, &draft.version);

    if (rc == 0)
        rc = unchanged(breaker->path, breaker->marker) ? swap_in(breaker, &draft) : AGAIN;
    if (rc == -ENOTSUP)
        rc = move_stale_away(breaker);
    if (rc == TAKEN)
        flk_marker_sweep(breaker->path, &draft.version.id);
    else
        give_up(breaker, &draft);
    return rc;
}

enum outcome flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                                  struct suspicion *suspicion, int *fd)
{
    struct breaker breaker = { .path = path, .marker = stale };
    enum outcome rc;

    /* The lock proves that the owner is alive.  A lease ends with its time all the same: its owner may be stopped. */
    if (flk_marker_lock(stale->fd) == -EWOULDBLOCK && !flk_marker_is_lease(stale))
        return CONTENDED;
    rc = unchanged(path, stale) ? take_place(&breaker, draft, suspicion, fd) : AGAIN;
    if (rc == TAKEN)
        rc = swap_in_draft(&breaker, fd);
    free(breaker.break_name);
    flk_marker_unlock(stale->fd);
    return rc < 0 && flk_marker_vanished(rc) ? AGAIN : rc;
}

/* ---- Late breakers -------------------------------------------------------------------------- */

/*
 * Wait this long for a breaker that is between its look and its rename(2).  The two take some 0.1 ms.  But another
 * thread of the same Python may run in between for 5 ms, and another process for a turn of the scheduler.
 */
#define LATE_MS 10

struct outlasting {
    const char *path;
    const struct identity *own;
};

/* True if the path is seen to name another file than the caller's marker, or none. */
static bool is_moved(const struct outlasting *outlasting)
{
    struct identity id;
    int rc = flk_file_path_identity(outlasting->path, false, &id);

    return rc == 0 ? !flk_file_same(&id, outlasting->own) : flk_error_no_file(rc);
}

/*
 * Removes the caller's marker if a breaker has moved it away.  Returns
 *   TAKEN      it was moved away, and cannot come back
 *   CONTENDED  it is at its path: it was not moved, or the breaker has put it back before it could be removed
 */
static enum outcome try_removing_moved(void *arg)
{
    const struct outlasting *outlasting = arg;

    if (!is_moved(outlasting))
        return CONTENDED;
    flk_fork_hold();
    flk_marker_sweep(outlasting->path, outlasting->own);
    flk_fork_release();
    return is_moved(outlasting) ? TAKEN : CONTENDED;
}

enum outcome flk_marker_outlast(const char *path, const struct identity *own, const struct limits *limits)
{
    struct outlasting outlasting = { path, own };
    struct limits late = *limits;
    int rc;

    late.timeout_ms = LATE_MS;
    late.deadline = 0;
    flk_limits_start(&late);
    rc = flk_retry(try_removing_moved, &outlasting, &late);
    return rc == -ETIMEDOUT ? TAKEN : rc == TAKEN ? CONTENDED : rc;
}

/* ---- Breaking ------------------------------------------------------------------------------- */

/* Wait this long for another breaker that is at work on the marker, then break it all the same. */
#define PATIENCE_MS 500

struct breaking {
    struct breaker breaker;
    const struct draft *draft;
    struct suspicion suspicion;
    int fd;
};

/* Tries once.  Returns CONTENDED if the marker may still be at its path, else as flk_marker_take_over() does. */
static enum outcome try_breaking(void *arg)
{
    struct breaking *breaking = arg;
    enum outcome rc;

    free(breaking->breaker.break_name);
    rc = take_place(&breaking->breaker, breaking->draft, &breaking->suspicion, &breaking->fd);
    if (rc == TAKEN)
        rc = swap_in_draft(&breaking->breaker, &breaking->fd);
    return rc == AGAIN && may_be_at(breaking->breaker.marker, breaking->breaker.path) ? CONTENDED : rc;
}

/*
 * Breaks the marker by the rules for taking over, which keep other breakers out meanwhile.  Returns
 *   TAKEN  the path names the draft
 *   AGAIN  the path names another marker, or none
 *   an error
 */
static enum outcome break_as_breaker(const char *path, const struct marker *marker, const struct draft *draft, int *fd)
{
    struct limits limits = { .timeout_ms = PATIENCE_MS, .cancel = FILELOCK_NO_WAITABLE };
    struct breaking breaking = { .breaker = { .path = path, .marker = marker }, .draft = draft };
    enum outcome rc;

    flk_limits_start(&limits);
    rc = flk_retry(try_breaking, &breaking, &limits);
    free(breaking.breaker.break_name);
    flk_suspicion_end(&breaking.suspicion);
    *fd = breaking.fd;
    return rc;
}

/* Removes the draft that has replaced the marker.  Returns 0 or -errno. */
static int remove_draft(const char *path, int fd)
{
    struct marker own = { .fd = fd };
    int rc;

    (void) flk_file_version(fd, &own.version);
    rc = may_be_at(&own, path) ? flk_file_remove(path, false) : 0;
    discard_draft(&own);
    return rc;
}

/* Looks once more at a marker that seems to be gone, because a server may say that of a file that is there. */
static int look_twice(const char *path, struct marker *marker)
{
    int verdict = flk_marker_look(path, marker);

    if (verdict != VERDICT_GONE)
        return verdict;
    flk_marker_leave(marker);
    return flk_marker_look(path, marker);
}

/* Removes the marker that was looked at.  If it could not be looked at, the file at the path is removed. */
static int remove_seen(const char *path, const struct marker *marker)
{
    if (marker->verdict < 0 || marker->fd < 0)
        return flk_file_remove(path, false);
    return flk_file_remove_same(path, false, &marker->version.id);
}

static int break_there(const char *path, const struct marker *marker, const struct draft *draft)
{
    bool seen = marker->fd >= 0 || marker->verdict >= 0; /* false: there may have been no marker */
    enum outcome rc = CONTENDED;
    int fd = -1;

    if (marker->verdict == -EEXIST)
        return -EEXIST;
    if (marker->verdict == VERDICT_STALE || marker->verdict == VERDICT_UNCLEAR)
        rc = break_as_breaker(path, marker, draft, &fd);
    /*
     * No breaker is at work on a living owner's marker, so the marker is removed.  It is also removed if the breaker
     * that is at work does not go on, or if there is no room for a draft.
     */
    if (rc == AGAIN)
        return 0;
    rc = rc == TAKEN ? remove_draft(path, fd) : remove_seen(path, marker);
    return seen && rc == -ENOENT ? 0 : rc; /* another process has removed it meanwhile */
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
