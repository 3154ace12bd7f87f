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

/* One's own draft is removed also where that cannot be made out: whoever made it is the one breaker. */
static void remove_draft(const struct marker *draft, const char *aside)
{
    struct identity id;

    if (flk_file_path_identity(aside, false, &id) != 0 || flk_file_same(&id, &draft->version.id))
        (void) flk_file_remove(aside, false);
}

/* With the marker locked: nobody has written to it or replaced it since it was looked at. */
static bool unchanged(const char *path, const struct marker *marker)
{
    struct marker again = *marker;

    return flk_marker_look_inside(&again) == marker->verdict && flk_file_same_version(&again.version, &marker->version) &&
           is_at(marker, path);
}

/*
 * What is aside is a breaker at work, or was left by one that was killed.  Nobody who lives is
 * touched.  locks: the stale marker is locked, and so would be what a breaker works with.
 */
static int clear_aside(const char *aside, bool locks, struct suspicion *suspicion)
{
    struct marker left;
    int64_t wait;
    int verdict = flk_marker_look(aside, &left), rc = FLK_CONTENDED;

    if (verdict == VERDICT_UNCLEAR && (locks || flk_marker_suspect(suspicion, &left, &wait) == VERDICT_STALE))
        verdict = VERDICT_STALE;
    if (left.fd >= 0 && flk_marker_lock(left.fd) == -EWOULDBLOCK)
        verdict = VERDICT_HELD;
    if (verdict == VERDICT_GONE)
        rc = 0;
    if (verdict < 0 || (verdict == VERDICT_STALE && is_at(&left, aside)))
        rc = flk_file_remove(aside, false);
    flk_marker_leave(&left);
    return rc < 0 && flk_marker_vanished(rc) ? 0 : rc;
}

/* For want of swapping: the path is free for a moment, and then anybody's. */
static int displace(const char *path, const struct marker *stale)
{
    char *away = flk_marker_aside(path, false);
    int rc = away != NULL ? flk_marker_displace(path, away) : -ENOMEM;

    if (rc == 0 && is_at(stale, away))
        rc = flk_file_remove(away, false);
    else if (rc == 0)
        flk_marker_replace(away, path);
    free(away);
    flk_marker_sweep(path);
    return flk_marker_vanished(rc) ? 0 : rc;
}

/*
 * A breaker that plays by other rules may have been here since the last look.  So what is at both
 * ends is looked at after the swap; if it is not what it should be, it is swapped back.
 */
static int swap_in(const char *path, const char *aside, const struct marker *stale, const struct marker *draft)
{
    int rc = flk_marker_swap(aside, path);

    if (rc == 0 && is_at(stale, aside) && is_at(draft, path)) {
        (void) flk_file_remove(aside, false);
        return FLK_TAKEN;
    }
    if (rc == 0)
        (void) flk_marker_swap(aside, path);
    if (rc == -ENOTSUP)
        rc = displace(path, stale);
    remove_draft(draft, aside);
    return flk_marker_vanished(rc) ? 0 : rc;
}

/* Whoever has a marker aside is the one breaker: then, and not before, the last look counts. */
static int supplant(const char *path, const char *aside, const struct marker *stale, int *fd)
{
    struct marker draft = { .fd = *fd };
    int rc = flk_file_version(*fd, &draft.version);

    if (rc == 0 && unchanged(path, stale))
        rc = swap_in(path, aside, stale, &draft);
    else if (rc != 0)
        (void) flk_file_remove(aside, false);
    else
        remove_draft(&draft, aside);
    if (rc == FLK_TAKEN)
        return rc;
    /* One who was killed since may have swapped it in for his own: nobody would ever remove it. */
    if (is_at(&draft, path))
        (void) flk_file_remove(path, false);
    flk_file_close(*fd);
    return rc;
}

int flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                         struct suspicion *suspicion, int *fd)
{
    int locked = flk_marker_lock(stale->fd), rc;
    char *aside;

    if (locked == -EWOULDBLOCK)
        return FLK_CONTENDED;
    if (!unchanged(path, stale))
        return 0;
    aside = flk_marker_aside(path, true);
    if (aside == NULL)
        return -ENOMEM;
    rc = flk_marker_publish(aside, draft->mode, false, draft->text, draft->size, fd);
    if (rc == 0)
        rc = supplant(path, aside, stale, fd);
    else if (rc == -EEXIST)
        rc = clear_aside(aside, locked == 0, suspicion);
    free(aside);
    return rc < 0 && flk_marker_vanished(rc) ? 0 : rc;
}

void flk_marker_tidy(const char *path)
{
    char *aside = flk_marker_aside(path, true);
    struct marker left;
    int verdict, locked;

    if (aside == NULL)
        return;
    verdict = flk_marker_look(aside, &left);
    locked = left.fd >= 0 ? flk_marker_lock(left.fd) : -EWOULDBLOCK;
    if (((verdict == VERDICT_STALE && locked != -EWOULDBLOCK) || (verdict == VERDICT_UNCLEAR && locked == 0)) &&
        is_at(&left, aside)) {
        flk_marker_sweep(path); /* first: what is aside is the only trace of a displacement that was cut short */
        (void) flk_file_remove(aside, false);
    }
    flk_marker_leave(&left);
    free(aside);
}
