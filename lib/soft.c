/* SPDX-License-Identifier: MIT
 *
 * Soft locks: the existence of the lock file, the marker, is the lock.
 *
 * A holder keeps its marker open and, where the file system can, locked by flock(2).  That makes
 * nobody else wait, but proves it alive to those who would break the marker.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "owner.h"
#include "process_id.h"
#include "record.h"
#include "stale.h"

/* Markers that came and went while somebody asked not to wait: he is told that it is held. */
#define LOOKS_MOST 100

/* Who is alive by its lock alone may die unseen; so often it is looked for. */
#define LOCK_LOOK 50000000 /* ns */

/* A marker may be emptied, or the directory that is watched be another by now, and of that nobody tells. */
#define HELD_LOOK 1000000000 /* ns */

/* What could not be opened may be later, and of that nobody tells. */
#define UNREAD_LOOK 500000000 /* ns */

/* Kept in the handle. */
struct soft_lock {
    int fd;         /* the marker while it is held, else -1 */
    int64_t sharer; /* the process that last forked while it held the lock: this one, or the one
                       that this was forked from; 0: nobody else holds it */
    char *resolved; /* where the path led when the lock was acquired; NULL: it leads nowhere else */
    struct identity id;
    bool met; /* a marker of somebody else's was there the last time */
    struct suspicion suspicion; /* of the marker */
    struct suspicion aside;     /* of what a killed breaker left */
};

static void soft_init(const struct target *target, void *state)
{
    (void) target;
    *(struct soft_lock *) state = (struct soft_lock) { .fd = -1 };
}

/* ---- The path ------------------------------------------------------------------------------- */

static void path_done(const struct target *target, const char *path)
{
    if (path != target->path)
        free((char *) path);
}

/* Where the marker is to be; to be given to path_done().  NULL: errno tells. */
static const char *path_of(const struct target *target)
{
    return (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0 ? flk_file_resolve(target->path) : target->path;
}

/* The lock is ours: the path may lead elsewhere by the time of its release. */
static void path_kept(const struct target *target, struct soft_lock *soft, const char *path)
{
    soft->resolved = flk_file_absolute(path);
    if (soft->resolved != NULL)
        path_done(target, path);
    else if (path != target->path)
        soft->resolved = (char *) path;
}

/* Whether it is the path still: a link may have been made anew while somebody waited where it had led to. */
static bool leads_there(const struct target *target, const char *path)
{
    const char *now = path != target->path ? path_of(target) : NULL;
    bool there = now == NULL || strcmp(now, path) == 0;

    if (now != NULL)
        path_done(target, now);
    return there;
}

static const char *path_held(const struct target *target, const struct soft_lock *soft)
{
    return soft->resolved != NULL ? soft->resolved : target->path;
}

/* A path that cannot be looked up is free as well: publishing tells what is wrong with it. */
static bool is_there(const char *path)
{
    struct identity id;

    return flk_file_path_identity(path, false, &id) == 0;
}

/* ---- Claiming ------------------------------------------------------------------------------- */

static void draft_for(const struct target *target, struct draft *draft)
{
    struct record self;

    flk_process_self(&self);
    draft->mode = target->file_mode;
    draft->make_parents = (target->flags & FILELOCK_MAKE_PARENTS) != 0;
    draft->size = flk_record_format(&self, draft->text);
}

/* An attempt to make the marker ours. */
struct attempt {
    const char *path;
    bool glance;         /* whether there is a marker is all that is asked of it */
    struct watch *watch; /* which is told whom to watch; NULL: nobody waits */
    bool met;            /* there was a marker of somebody else's */
    int64_t left;        /* after FLK_CONTENDED, the ns until the next look is due */
    int fd;              /* after FLK_TAKEN, the marker */
};

/* Watched before he is judged: one who ends after that is seen to, and his pid cannot be another's yet. */
static int look(struct soft_lock *soft, struct attempt *attempt, struct marker *marker)
{
    const struct record *record = &marker->record;

    flk_marker_read(attempt->path, marker);
    if (attempt->watch != NULL && marker->verdict != VERDICT_GONE)
        marker->alive = flk_watch_process(attempt->watch, marker->local ? record->pid : 0, record->token);
    if (flk_marker_judge(marker) == VERDICT_UNCLEAR)
        return flk_marker_suspect(&soft->suspicion, marker, &attempt->left);
    soft->suspicion.since = 0;
    if (marker->verdict == VERDICT_HELD && marker->fd < 0) {
        attempt->left = UNREAD_LOOK;
        return is_there(attempt->path) ? VERDICT_HELD : VERDICT_GONE;
    }
    return marker->verdict;
}

static int take_over(const struct target *target, struct soft_lock *soft, struct attempt *attempt,
                     const struct marker *marker)
{
    struct draft draft;

    if (attempt->watch != NULL)
        (void) flk_watch_process(attempt->watch, 0, "");
    if ((target->flags & FILELOCK_NEVER_BREAK) != 0) {
        attempt->left = FLK_NEVER; /* what was due has come, and changes nothing */
        return FLK_CONTENDED;
    }
    attempt->left = LOCK_LOOK;
    draft_for(target, &draft);
    return flk_marker_take_over(attempt->path, marker, &draft, &soft->aside, &attempt->fd);
}

/* What there was: FLK_TAKEN, it is ours now; 0, it is gone; FLK_CONTENDED or an error. */
static int face(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    struct marker marker;
    int verdict, rc = FLK_CONTENDED;

    if (attempt->glance)
        return is_there(attempt->path) ? FLK_CONTENDED : 0;
    attempt->left = HELD_LOOK;
    verdict = look(soft, attempt, &marker);
    if (verdict == VERDICT_GONE)
        rc = 0;
    else if (verdict < 0)
        rc = verdict;
    else if (verdict == VERDICT_STALE)
        rc = take_over(target, soft, attempt, &marker);
    flk_marker_leave(&marker);
    return rc;
}

/* FLK_TAKEN, FLK_CONTENDED, 0 (look again) or an error. */
static int stake(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    struct draft draft;
    int rc;

    /* A look is cheap, and a marker is not: who has met one makes the next only when it is gone. */
    rc = soft->met ? face(target, soft, attempt) : 0;
    attempt->met = attempt->met || rc != 0;
    if (rc != 0)
        return rc;
    draft_for(target, &draft);
    rc = flk_marker_publish(attempt->path, draft.mode, draft.make_parents, draft.text, draft.size, &attempt->fd);
    soft->met = rc == -EEXIST;
    return rc == 0 ? FLK_TAKEN : soft->met ? 0 : rc;
}

/* The opening ends.  A new marker is given up if a child has got a copy of its descriptor. */
static bool keep(const struct target *target, struct soft_lock *soft, const struct attempt *attempt, unsigned epoch)
{
    int fd = attempt->fd;
    struct identity id = { 0 };
    bool named = fd >= 0 && flk_file_identity(fd, &id) == 0, kept = flk_opened(epoch) && named;

    if (kept)
        free(soft->resolved);
    if (kept)
        *soft = (struct soft_lock) { .fd = fd, .id = id, .met = attempt->met };
    flk_guard_unlock();
    if (kept && (target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        (void) flk_file_inherit(fd, true);
    if (!kept && fd >= 0) {
        if (named)
            (void) flk_file_remove_same(attempt->path, false, &id);
        else
            (void) flk_file_remove(attempt->path, false);
        flk_file_close(fd);
    }
    return kept;
}

/* Makes the marker ours, or finds out why not. */
static int take(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    for (int looks = 0; looks < LOOKS_MOST; looks++) {
        unsigned epoch = flk_opening();
        int rc;

        attempt->fd = -1;
        rc = stake(target, soft, attempt);
        if (rc != FLK_TAKEN)
            attempt->fd = -1;
        if (keep(target, soft, attempt, epoch))
            return 0;
        if (rc != 0 && rc != FLK_TAKEN)
            return rc;
    }
    return FLK_CONTENDED;
}

static int soft_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    struct attempt attempt = { .path = path_of(target), .glance = waits };
    int rc;

    (void) mode;
    if (attempt.path == NULL)
        return -errno;
    rc = take(target, state, &attempt);
    if (rc == 0)
        path_kept(target, state, attempt.path);
    else
        path_done(target, attempt.path);
    return rc;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

static int wait_at(const struct target *target, struct soft_lock *soft, const char *path,
                   const struct limits *limits)
{
    struct watch watch;
    struct attempt attempt = { .path = path, .watch = &watch, .met = true };
    int rc, waited = 0;

    flk_watch_open(&watch, path);
    for (;;) {
        rc = take(target, soft, &attempt);
        if (rc != FLK_CONTENDED || waited != 0)
            break;
        waited = flk_watch_wait(&watch, limits, attempt.left);
        if (waited == 0 && flk_limits_left(limits) == 0)
            waited = -ETIMEDOUT; /* whatever goes on in the directory */
        if (waited != 0 && waited != -ETIMEDOUT)
            break;
    }
    flk_watch_close(&watch);
    /* After the time was up there was one more look. */
    return rc == FLK_CONTENDED ? waited : rc;
}

/* ---- Releasing ------------------------------------------------------------------------------ */

static void close_marker(struct soft_lock *soft)
{
    flk_guard_lock();
    if (soft->fd >= 0)
        flk_file_close(soft->fd);
    soft->fd = -1;
    soft->sharer = 0;
    flk_guard_unlock();
}

/* A child that is forked at this moment must not be left with what is freed. */
static void forget(struct soft_lock *soft)
{
    char *resolved = soft->resolved;

    close_marker(soft);
    soft->resolved = NULL;
    free(resolved);
}

/*
 * Only a marker that is still ours is removed; one that was broken is somebody else's by now.  One that is somewhere
 * else, for a directory on the way was renamed, is emptied, and so nobody's.
 */
static int release_own(const struct target *target, const char *path, struct soft_lock *soft)
{
    int rc = flk_file_remove_same(path, false, &soft->id);

    if (rc != 0 && path != target->path && flk_file_remove_same(target->path, false, &soft->id) == 0)
        rc = 0;
    if (rc != 0 && rc != -ENOENT)
        return rc;
    if (rc == -ENOENT)
        (void) flk_file_write(soft->fd, "", 0);
    forget(soft);
    return 0;
}

/* for_good: nobody will come back to it. */
static int release_shared(const char *path, struct soft_lock *soft, bool for_good)
{
    int rc = flk_marker_part(path, &soft->id, soft->sharer, for_good, &soft->fd);

    if (rc == 0)
        forget(soft);
    return rc;
}

static int release_at(const struct target *target, const char *path, struct soft_lock *soft)
{
    return soft->sharer != 0 ? release_shared(path, soft, false) : release_own(target, path, soft);
}

static int soft_release(const struct target *target, void *state, enum filelock_mode mode)
{
    (void) mode;
    return release_at(target, path_held(target, state), state);
}

/* A marker that cannot be removed is emptied: it would be taken for held as long as this process lives. */
static int give_up(const struct target *target, const char *path, struct soft_lock *soft)
{
    int rc = release_own(target, path, soft);

    if (rc != 0) {
        (void) flk_file_write(soft->fd, "", 0);
        forget(soft);
    }
    return rc;
}

/* Of a lock whose release has failed: once more, for nobody will come back to it. */
static void soft_close(const struct target *target, void *state)
{
    struct soft_lock *soft = state;

    if (soft->fd >= 0 && soft->sharer != 0)
        (void) release_shared(path_held(target, soft), soft, true);
    else if (soft->fd >= 0)
        (void) give_up(target, path_held(target, soft), soft);
    forget(soft);
}

/* ---- Waiting where a link leads ------------------------------------------------------------- */

static int soft_wait(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits)
{
    const char *path = path_of(target);
    int rc;

    (void) mode;
    if (path == NULL)
        return -errno;
    rc = wait_at(target, state, path, limits);
    while (rc == 0 && !leads_there(target, path) && (rc = give_up(target, path, state)) == 0) {
        path_done(target, path);
        path = path_of(target);
        rc = path != NULL ? wait_at(target, state, path, limits) : -errno;
    }
    if (rc == 0)
        path_kept(target, state, path);
    else if (path != NULL)
        path_done(target, path);
    return rc;
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/*
 * The child that shares the lock puts its own name on the marker at once: after a daemon's parent
 * has exited there would be a moment in which the marker names the dead.
 */
static void soft_forked(const struct target *target, void *state, bool holds)
{
    struct soft_lock *soft = state;

    (void) target;
    if (holds) {
        (void) flk_owner_name(soft->fd, flk_process_pid());
        return;
    }
    if (soft->fd >= 0)
        flk_file_close(soft->fd);
    soft->fd = -1;
}

static void soft_sharing(const struct target *target, void *state)
{
    (void) target;
    ((struct soft_lock *) state)->sharer = flk_process_pid();
}

/* ---- Questions ------------------------------------------------------------------------------ */

static int soft_identify(const struct target *target, struct identity *id)
{
    return flk_file_path_identity(target->path, (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0, id);
}

static void soft_locked(const void *state, struct identity *id)
{
    *id = ((const struct soft_lock *) state)->id;
}

static int soft_descriptor(const void *state)
{
    return ((const struct soft_lock *) state)->fd;
}

static int soft_owner(const struct target *target, struct filelock_owner *owner)
{
    const char *path = path_of(target);
    struct marker marker;
    int verdict;

    if (path == NULL)
        return -errno;
    verdict = flk_marker_look(path, &marker);
    flk_marker_leave(&marker);
    path_done(target, path);
    if (verdict < 0)
        return verdict;
    if (verdict == VERDICT_GONE)
        return -ENOENT;
    if (marker.record.pid != 0)
        flk_owner_from_record(&marker.record, owner);
    return 0;
}

static int soft_break(const struct target *target)
{
    const char *path = path_of(target);
    struct draft draft;
    unsigned epoch;
    int rc;

    if (path == NULL)
        return -errno;
    draft_for(target, &draft);
    epoch = flk_opening(); /* what a forked child got a copy of would stay locked */
    rc = flk_marker_break(path, &draft);
    (void) flk_opened(epoch);
    flk_guard_unlock();
    path_done(target, path);
    return rc;
}

const struct kind flk_kind_soft = {
    .id = FILELOCK_KIND_SOFT,
    .name = "soft",
    .abilities = OUTLIVES_PROCESS,
    .state_size = sizeof(struct soft_lock),
    .init = soft_init,
    .try = soft_try,
    .wait = soft_wait,
    .release = soft_release,
    .close = soft_close,
    .forked = soft_forked,
    .sharing = soft_sharing,
    .identify = soft_identify,
    .locked = soft_locked,
    .descriptor = soft_descriptor,
    .owner = soft_owner,
    .break_marker = soft_break,
};
