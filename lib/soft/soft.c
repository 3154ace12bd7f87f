/* SPDX-License-Identifier: MIT
 *
 * Soft locks: the existence of the lock file, the marker, is the lock.
 *
 * A holder keeps its marker open and, where the file system can, locked by flock(2).  No contender waits for that lock.
 * It proves to breakers that the holder is alive.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "outcome.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "owner/sha256.h"
#include "owner/writers.h"
#include "soft/marker.h"
#include "soft/queue.h"
#include "soft/soft_lock.h"
#include "soft/stale.h"
#include "system/boot_clock.h"
#include "system/born.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/guard.h"
#include "system/own_file.h"
#include "system/probes.h"
#include "system/remote.h"
#include "system/thread.h"
#include "wait/limits.h"
#include "wait/lookout.h"
#include "wait/watch.h"

/* Give up after this many markers that came and went during one attempt: the lock is reported as held. */
#define MAX_LOOKS 100

/*
 * Poll interval while a stale marker cannot be taken over: a process holds it by the lock on the marker alone, or is
 * breaking it.  No event tells when that process ends.
 */
#define LOCK_LOOK 50000000 /* ns */

/* Poll interval while the lock is held: no event tells if the marker is emptied, or the watched directory replaced. */
#define HELD_LOOK 1000000000 /* ns */

/* Poll interval while the marker cannot be opened: no event tells when it can be. */
#define UNREAD_LOOK 500000000 /* ns */

#define NS_PER_MS 1000000

static int soft_init(const struct target *target, void *state)
{
    (void) target;
    *(struct soft_lock *) state = (struct soft_lock) { .fd = -1 };
    return 0;
}

/* ---- The path ------------------------------------------------------------------------------- */

static void free_path(const struct target *target, const char *path)
{
    if (path != target->path)
        free((char *) path);
}

/* Returns the path at which the marker is to be; the caller gives it to free_path().  NULL: errno tells why. */
static const char *path_of(const struct target *target)
{
    return flk_target_follows(target) ? flk_file_resolve(target->path) : target->path;
}

/* Records the path of a lock that was acquired, because the target's path may lead elsewhere by its release. */
static void keep_path(const struct target *target, struct soft_lock *soft, const char *path)
{
    soft->resolved = flk_file_absolute(path);
    if (soft->resolved != NULL)
        free_path(target, path);
    else if (path != target->path)
        soft->resolved = (char *) path;
}

/* True if the target's path still leads there.  A symbolic link may have been changed while the caller waited. */
static bool still_leads_there(const struct target *target, const char *path)
{
    const char *now = path != target->path ? path_of(target) : NULL;
    bool there = now == NULL || strcmp(now, path) == 0;

    if (now != NULL)
        free_path(target, now);
    return there;
}

const char *flk_soft_path(const struct target *target, const struct soft_lock *soft)
{
    return soft->resolved != NULL ? soft->resolved : target->path;
}

/* True if there is a file at the path.  False also if the path cannot be looked up: publishing then tells why. */
static bool is_there(const char *path)
{
    struct identity id;

    return flk_file_path_identity(path, false, &id) == 0;
}

/* ---- Releasing ------------------------------------------------------------------------------ */

/* Forgets the descriptor if the program has closed it: its number may be another file's.  The lock is still held. */
static void forget_closed_descriptor(struct soft_lock *soft)
{
    bool lost = soft->fd >= 0 && flk_own_file(soft->fd, &soft->id) != 0;

    flk_guard_lock();
    if (lost)
        soft->fd = -1;
    flk_guard_unlock();
}

/*
 * Closes the marker.  Caller called forget_closed_descriptor() before the marker was removed: some systems no longer
 * tell the identity of a removed file.
 */
static void close_marker(struct soft_lock *soft)
{
    int fd;

    flk_guard_lock();
    fd = soft->fd;
    soft->fd = -1;
    soft->last_forker = 0;
    if (fd >= 0)
        flk_guard_unlock_closing(fd, &soft->id);
    else
        flk_guard_unlock();
}

/* Forgets the lock.  Clears the pointer before the memory is freed, because a child may be forked in between. */
static void forget(struct soft_lock *soft)
{
    char *resolved = soft->resolved;

    close_marker(soft);
    soft->resolved = NULL;
    free(resolved);
}

/* True if the marker at the path has the record of this process. */
static bool has_own_record(const char *path)
{
    struct record self;
    struct marker marker;
    bool own;

    flk_process_self(&self);
    flk_marker_read(path, &marker);
    own = marker.fd >= 0 && marker.record.pid == self.pid && strcmp(marker.record.token, self.token) == 0 &&
          strcmp(marker.record.host, self.host) == 0;
    flk_marker_leave(&marker);
    return own;
}

/*
 * True if the path names another holder's marker, although its number is that of the caller's.  A number is used again
 * once the marker is gone and no descriptor of it is open.  The caller's own may have been touched, but it was made before
 * it got the time that the caller knows.
 */
static bool is_successor(const char *path, const struct soft_lock *soft)
{
    struct file_version found;
    int64_t born;

    if (soft->modified == 0 || flk_own_file(soft->fd, &soft->id) == 0)
        return false;
    if (flk_file_path_version(path, false, &found) != 0 || found.modified == soft->modified)
        return false;
    return flk_file_born(path, &born) ? born > soft->modified : !has_own_record(path);
}

/* Removes the marker at the path.  -ENOENT: it is not there. */
static int remove_at(const char *path, const struct soft_lock *soft)
{
    return is_successor(path, soft) ? -ENOENT : flk_file_remove_same(path, false, &soft->id);
}

/*
 * Removes the marker if it is still this lock's.  A marker that was broken stays: the path names another contender's by
 * now.  A marker that is elsewhere is given up: a directory on the way was renamed, or this process has another root.
 * Returns 0, LOST if the path does not name the marker, or -errno and the lock is held as before.
 */
static enum outcome remove_own(const struct target *target, const char *path, struct soft_lock *soft)
{
    int rc = remove_at(path, soft);

    if (rc != 0 && path != target->path && remove_at(target->path, soft) == 0)
        rc = 0;
    if (rc != 0 && rc != -ENOENT)
        return rc;
    if (rc == -ENOENT)
        (void) flk_owner_disown(soft->fd);
    forget(soft);
    return rc == -ENOENT ? LOST : 0;
}

/* Removes as remove_own() does.  Returns 0 for a marker that was elsewhere, too. */
static int release_own(const struct target *target, const char *path, struct soft_lock *soft)
{
    int rc = remove_own(target, path, soft);

    return rc == LOST ? 0 : rc;
}

enum outcome flk_soft_remove(const struct target *target, struct soft_lock *soft)
{
    forget_closed_descriptor(soft);
    return remove_own(target, flk_soft_path(target, soft), soft);
}

void flk_soft_abandon(struct soft_lock *soft)
{
    forget_closed_descriptor(soft);
    forget(soft);
}

/* Leaves a marker that was shared by fork.  for_good: no other attempt follows. */
static int release_shared(const char *path, struct soft_lock *soft, bool for_good)
{
    int rc = flk_marker_release_shared(path, &soft->id, soft->last_forker, for_good, &soft->fd);

    if (rc == 0)
        forget(soft);
    return rc;
}

static int release_at(const struct target *target, const char *path, struct soft_lock *soft)
{
    return soft->last_forker != 0 ? release_shared(path, soft, false) : release_own(target, path, soft);
}

static enum outcome soft_release(const struct target *target, void *state, enum filelock_mode mode)
{
    (void) mode;
    forget_closed_descriptor(state);
    return release_at(target, flk_soft_path(target, state), state);
}

/*
 * Releases a lock that is not kept.  If the marker cannot be removed, it is disowned: else it would count as held as
 * long as this process lives.
 */
static int give_up(const struct target *target, const char *path, struct soft_lock *soft)
{
    int rc;

    forget_closed_descriptor(soft);
    rc = release_own(target, path, soft);
    if (rc != 0) {
        (void) flk_owner_disown(soft->fd);
        forget(soft);
    }
    return rc;
}

int flk_soft_give_up(const struct target *target, struct soft_lock *soft)
{
    return give_up(target, flk_soft_path(target, soft), soft);
}

/* ---- Claiming ------------------------------------------------------------------------------- */

/* Makes the record one of a lease, with a grant that no other lease has: 32 digits, as Python writes them. */
static void make_lease(struct record *record, int64_t lease_ms)
{
    static unsigned long counter; /* under the guard */
    char text[sizeof(record->host) + sizeof(record->token) + 80];
    uint8_t digest[32];
    unsigned long number;

    flk_guard_lock();
    number = counter++;
    flk_guard_unlock();
    (void) snprintf(text, sizeof(text), "%" PRId64 " %s %s %lu %" PRId64, record->pid, record->token, record->host,
                    number, flk_now());
    flk_sha256(text, strlen(text), digest);
    for (int i = 0; i < 16; i++)
        (void) snprintf(record->grant + 2 * i, 3, "%02x", digest[i]);
    record->claim = CLAIM_LEASE;
    record->lease = lease_ms * NS_PER_MS;
}

static void draft_for(const struct target *target, struct draft *draft)
{
    struct record self;

    flk_process_self(&self);
    if (target->lease_ms != 0)
        make_lease(&self, target->lease_ms);
    draft->mode = target->file_mode;
    draft->make_parents = (target->flags & FILELOCK_MAKE_PARENTS) != 0;
    draft->size = flk_record_format(&self, draft->text);
}

/* An attempt to take the lock. */
struct attempt {
    const char *path;
    bool existence_only;     /* only look whether there is a marker, and do not read it */
    struct lookout *lookout; /* by which the owner is watched; NULL: the caller does not wait by a watch */
    bool had_marker;         /* another contender's marker was found */
    bool stale;              /* a dead owner's marker was found */
    bool defers;             /* leave the marker of an owner that may be dead to a helper, since that takes time */
    bool deferred;           /* such a marker was found */
    int64_t left;            /* after CONTENDED, the ns until the next look is due */
    int64_t began;           /* ns of flk_boot_now(), before the marker was made */
    bool yields;             /* an earlier waiter is to make the next marker */
    bool yielded;            /* there was no marker, and that was left to the earlier waiter */
    bool queues;             /* the waiters for the last marker that was seen queue up at it */
    struct identity id;      /* of that marker */
    int fd;                  /* after TAKEN, the marker */
};

/* Sets which process is watched.  Returns as flk_watch_process() does; false if the caller does not wait. */
static bool watch_owner(const struct attempt *attempt, int64_t pid, const char *token)
{
    return attempt->lookout != NULL && flk_lookout_process(attempt->lookout, pid, token);
}

/* Returns the handle's doubts, which it keeps until it is closed.  NULL: there is no memory. */
static struct doubts *doubts_of(struct soft_lock *soft)
{
    if (soft->doubts == NULL)
        soft->doubts = calloc(1, sizeof(*soft->doubts));
    return soft->doubts;
}

static bool doubts_marker(const struct soft_lock *soft)
{
    return soft->doubts != NULL && soft->doubts->marker.since != 0;
}

static bool doubts_leftover(const struct soft_lock *soft)
{
    return soft->doubts != NULL && soft->doubts->leftover.since != 0;
}

/* Ends the suspicion, which closes its file. */
static void trust_marker(struct soft_lock *soft)
{
    if (soft->doubts != NULL)
        flk_suspicion_end(&soft->doubts->marker);
}

static void trust_all(struct soft_lock *soft)
{
    trust_marker(soft);
    if (soft->doubts != NULL)
        flk_suspicion_end(&soft->doubts->leftover);
}

/* Gives the doubts back.  Forks wait while files are closed, so that no child has a copy of these. */
static void drop_doubts(struct soft_lock *soft)
{
    struct doubts *doubts = soft->doubts;

    if (doubts_marker(soft) || doubts_leftover(soft)) {
        flk_fork_hold();
        trust_all(soft);
        flk_fork_release();
    }
    soft->doubts = NULL;
    free(doubts);
}

/* The next look at the marker searches for its writers at once. */
static void search_at_once(struct soft_lock *soft)
{
    if (soft->doubts != NULL)
        soft->doubts->marker.next = 0;
}

/* Suspects an UNCLEAR marker.  Returns as flk_marker_suspect() does, or -ENOMEM. */
static int suspect(struct soft_lock *soft, struct marker *marker, int64_t *left)
{
    struct doubts *doubts = doubts_of(soft);

    return doubts != NULL ? flk_marker_suspect(&doubts->marker, marker, left) : -ENOMEM;
}

/* Reads the marker.  If descriptors have run out, the suspicion's is closed first, and the suspicion begins again. */
static void read_marker(struct soft_lock *soft, const char *path, struct marker *marker)
{
    flk_marker_read(path, marker);
    if (!flk_error_no_resources(marker->verdict) || !doubts_marker(soft))
        return;
    trust_marker(soft);
    flk_marker_read(path, marker);
}

static bool never_breaks(const struct target *target)
{
    return (target->flags & FILELOCK_NEVER_BREAK) != 0;
}

/*
 * Judges the lease of another contender.  It ends when it has stood unchanged for its duration.  Returns UNCLEAR; or
 * -EINVAL if this lock is a lease of another duration, because each would judge the other by a wrong time.  A marker
 * that its owner has given up has a duration of its own (flk_owner_disown), which no lock goes by.
 */
static int judge_lease(const struct target *target, struct soft_lock *soft, struct marker *marker)
{
    int64_t lease = marker->record.lease;

    if (target->lease_ms == 0 || marker->record.pid == MAX_RECORD_PID)
        return VERDICT_UNCLEAR;
    marker->grace = lease;
    if (lease / NS_PER_MS == target->lease_ms || (lease + NS_PER_MS / 2) / NS_PER_MS == target->lease_ms)
        return VERDICT_UNCLEAR;
    soft->other_lease = lease;
    return -EINVAL;
}

/*
 * Looks at the marker.  Returns a verdict or -errno.  The owner is watched before it is judged.  If it ends after that,
 * the watch tells.  Its pid cannot be another process's yet when it is judged.
 */
static int look(const struct target *target, struct soft_lock *soft, struct attempt *attempt, struct marker *marker)
{
    const struct record *record = &marker->record;

    read_marker(soft, attempt->path, marker);
    if (attempt->lookout != NULL && marker->verdict != VERDICT_GONE)
        marker->alive = watch_owner(attempt, marker->local ? record->pid : 0, record->token);
    attempt->deferred = attempt->defers && flk_lookout_doubts(attempt->lookout);
    if (attempt->deferred)
        return VERDICT_HELD; /* to find out whether the owner is dead may take a search of all processes */
    (void) flk_marker_judge(marker);
    if (flk_marker_is_lease(marker) && judge_lease(target, soft, marker) < 0)
        return -EINVAL;
    if (marker->verdict == VERDICT_UNCLEAR && never_breaks(target))
        return VERDICT_HELD; /* the marker would stay even if it were stale, and to find that out is costly */
    if (marker->verdict == VERDICT_UNCLEAR)
        return suspect(soft, marker, &attempt->left);
    trust_marker(soft);
    if (marker->elsewhere)
        (void) watch_owner(attempt, 0, ""); /* the process that has this pid here is not the owner */
    if (marker->verdict == VERDICT_HELD && marker->fd < 0) {
        attempt->left = UNREAD_LOOK;
        return is_there(attempt->path) ? VERDICT_HELD : VERDICT_GONE;
    }
    return marker->verdict;
}

/*
 * True if waiters queue up at a marker with this verdict.  They open it for writing, so it must be a marker that is not
 * judged by its writers.  At a marker that is stale, no waiter may have to wait for another waiter.
 */
static bool has_queue(const struct marker *marker, int verdict)
{
    return verdict == VERDICT_HELD && marker->fd >= 0 && marker->version.regular && marker->record.claim == CLAIM_OWNER;
}

static enum outcome take_over(const struct target *target, struct soft_lock *soft, struct attempt *attempt,
                              const struct marker *marker)
{
    struct doubts *doubts;
    struct draft draft;

    (void) watch_owner(attempt, 0, "");
    if (never_breaks(target)) {
        attempt->left = HELD_LOOK;
        return CONTENDED;
    }
    attempt->left = LOCK_LOOK;
    attempt->deferred = attempt->defers;
    if (attempt->deferred)
        return CONTENDED;
    doubts = doubts_of(soft);
    if (doubts == NULL)
        return -ENOMEM;
    draft_for(target, &draft);
    return flk_marker_take_over(attempt->path, marker, &draft, &doubts->leftover, &attempt->fd);
}

/*
 * Looks at the marker at the path, and takes it over if its owner is dead.  Returns
 *   TAKEN      the path names the caller's marker
 *   AGAIN      the marker that was there is gone
 *   CONTENDED  the marker is held
 *   an error
 */
static enum outcome examine_existing(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    enum outcome rc = CONTENDED;
    struct marker marker;
    int verdict;

    if (attempt->existence_only)
        return is_there(attempt->path) ? CONTENDED : AGAIN;
    attempt->left = HELD_LOOK;
    verdict = look(target, soft, attempt, &marker);
    if (verdict != VERDICT_GONE) {
        attempt->queues = has_queue(&marker, verdict);
        attempt->id = marker.version.id;
    }
    if (verdict == VERDICT_GONE) {
        rc = AGAIN;
    } else if (verdict < 0) {
        rc = verdict;
    } else if (verdict == VERDICT_STALE) {
        attempt->stale = true;
        rc = take_over(target, soft, attempt, &marker);
    }
    flk_marker_leave(&marker);
    return rc;
}

/* Examines a marker that was there at the last look, or makes one.  Returns as examine_existing() does. */
static enum outcome try_once(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    struct draft draft;
    enum outcome rc;

    /* A look costs less than making a marker.  So after a marker was found, another is made only when that is gone. */
    rc = soft->had_marker ? examine_existing(target, soft, attempt) : AGAIN;
    attempt->had_marker = attempt->had_marker || rc != AGAIN;
    if (rc != AGAIN)
        return rc;
    attempt->yielded = attempt->yields;
    if (attempt->yields)
        return CONTENDED;
    draft_for(target, &draft);
    rc = flk_marker_publish(attempt->path, draft.mode, draft.make_parents, draft.text, draft.size, &attempt->fd);
    soft->had_marker = rc == -EEXIST;
    return soft->had_marker ? AGAIN : rc;
}

/*
 * Ends what flk_open_begin() began.  True: the new marker is in the handle.  False: there is no new marker, or it was
 * removed because a child may have a copy of its descriptor, or because its identity cannot be read.
 */
static bool adopt_or_discard(const struct target *target, struct soft_lock *soft, const struct attempt *attempt,
                             unsigned epoch)
{
    int fd = attempt->fd;
    struct file_version version = { .modified = 0 };
    bool named = fd >= 0 && flk_file_version(fd, &version) == 0, kept = flk_open_commit(epoch) && named;

    if (kept)
        free(soft->resolved);
    if (kept)
        *soft = (struct soft_lock) {
            .fd = fd,
            .id = version.id,
            .modified = target->lease_ms == 0 ? version.modified : 0,
            .had_marker = attempt->had_marker,
            .doubts = soft->doubts,
            .queue = soft->queue,
            .began = attempt->began,
        };
    flk_guard_unlock();
    if (kept && (target->flags & FILELOCK_KEEP_ON_EXEC) != 0)
        (void) flk_file_inherit(fd, true);
    if (!kept && fd >= 0) {
        if (named)
            (void) flk_file_remove_same(attempt->path, false, &version.id);
        else
            (void) flk_file_remove(attempt->path, false);
        flk_file_close(fd);
    }
    return kept;
}

/* Tries again while the result is AGAIN, MAX_LOOKS times at most.  Returns TAKEN, CONTENDED or an error. */
static enum outcome acquire_marker(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    for (int looks = 0; looks < MAX_LOOKS; looks++) {
        unsigned epoch = flk_open_begin();
        enum outcome rc;

        attempt->fd = -1;
        attempt->began = flk_boot_now();
        rc = try_once(target, soft, attempt);
        if (rc == TAKEN)
            trust_all(soft);
        else
            attempt->fd = -1;
        if (adopt_or_discard(target, soft, attempt, epoch))
            return TAKEN;
        if (rc != AGAIN && rc != TAKEN) /* TAKEN: the new marker was removed, so try again */
            return rc;
    }
    return CONTENDED;
}

/*
 * Give up after losing this many markers to late breakers in one attempt.  Each of these breakers has read the same
 * dead owner's marker, so there are few.
 */
#define MAX_LOST 10

/*
 * Acquires the marker as acquire_marker() does.  If a dead owner's marker was seen, breakers of other rules may have
 * seen it too.  Then the lock is the caller's only once they are done.  If one of them has moved the new marker away,
 * the acquire begins again.
 */
static enum outcome acquire_to_keep(const struct target *target, struct soft_lock *soft, struct attempt *attempt,
                                    const struct limits *limits)
{
    int rc = CONTENDED;

    for (int lost = 0; rc == CONTENDED && lost < MAX_LOST; lost++) {
        rc = acquire_marker(target, soft, attempt);
        if (rc != 0 || !attempt->stale)
            return rc;
        rc = flk_marker_outlast(attempt->path, &soft->id, limits);
        if (rc == 0)
            flk_probe_taken_over(attempt->path);
        else
            (void) give_up(target, attempt->path, soft);
    }
    attempt->left = LOCK_LOOK;
    return rc;
}

enum outcome flk_soft_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    const struct limits none = { .timeout_ms = FILELOCK_TRY, .cancel = FILELOCK_NO_WAITABLE };
    struct attempt attempt = { .path = path_of(target), .existence_only = waits };
    int rc;

    (void) mode;
    if (attempt.path == NULL)
        return -errno;
    search_at_once(state);
    rc = acquire_to_keep(target, state, &attempt, &none);
    if (rc == 0)
        keep_path(target, state, attempt.path);
    else
        free_path(target, attempt.path);
    return rc;
}

/* ---- Closing -------------------------------------------------------------------------------- */

/* Releases the lock if it is held.  No other attempt follows, so a marker that cannot be removed is disowned. */
void flk_soft_close(const struct target *target, void *state)
{
    struct soft_lock *soft = state;

    forget_closed_descriptor(soft);
    if (soft->fd >= 0 && soft->last_forker != 0)
        (void) release_shared(flk_soft_path(target, soft), soft, true);
    else if (soft->fd >= 0 && release_own(target, flk_soft_path(target, soft), soft) != 0)
        (void) flk_owner_disown(soft->fd);
    forget(soft);
    drop_doubts(soft);
}

/* ---- Waiting in a thread -------------------------------------------------------------------- */

/* What a thread waits for that has a lookout of its own: its turn in the queue, and the marker.  In the lookout's room. */
struct waiting {
    struct soft_lock *soft;
    struct lookout *lookout;
    struct queue queue;
    struct identity id; /* of the marker */
    bool queues;        /* the waiters queue up at this marker */
    bool yields;        /* an earlier waiter is to make the next marker */
    bool yielded;       /* the last look has found no marker, and has left that to the earlier waiter */
};

/* Makes the queue known to flk_soft_after_fork(); NULL: it is to be forgotten. */
static void set_queue(struct soft_lock *soft, struct queue *queue)
{
    flk_guard_lock();
    soft->queue = queue;
    flk_guard_unlock();
}

/* Returns what the thread waits for, which begins with its first look. */
static struct waiting *waiting_of(struct soft_lock *soft, struct lookout *lookout)
{
    struct waiting *waiting = FLK_ROOM_OF(lookout, struct waiting);

    if (soft->queue != NULL)
        return waiting;
    *waiting = (struct waiting) { .soft = soft, .lookout = lookout };
    flk_queue_init(&waiting->queue);
    set_queue(soft, &waiting->queue);
    return waiting;
}

/* Ends what waiting_of() began. */
static void leave_queue(struct soft_lock *soft)
{
    if (soft->queue == NULL)
        return;
    (void) flk_queue_leave(soft->queue);
    set_queue(soft, NULL);
}

/* Waits for the waiter's turn.  Returns 1: it may watch the marker; 0: it has to look; or an error. */
static int await_turn(struct waiting *waiting, const struct limits *limits)
{
    enum outcome rc = flk_queue_wait(&waiting->queue, waiting->lookout->path, limits);

    waiting->yields = rc == CONTENDED;
    return rc == TAKEN ? 1 : rc == AGAIN || rc == CONTENDED ? 0 : (int) rc;
}

/*
 * Waits until the marker has to be looked at.  A waiter that is first, or is not in the queue, watches the marker.
 * When that goes, an earlier waiter may have come meanwhile.  A waiter that has left the path to an earlier waiter waits
 * for that one, and looks again: there is no marker to queue up at, nor to watch.  Returns 0, or an error when a limit
 * was reached.
 */
static int await_look(void *room, const struct limits *limits)
{
    struct waiting *waiting = room;
    struct watch *watch = &waiting->lookout->by.watch;
    int rc;

    if (!waiting->queues)
        (void) flk_queue_leave(&waiting->queue);
    else if (!waiting->yielded && flk_queue_enter(&waiting->queue, waiting->lookout->path, &waiting->id) == AGAIN)
        return 0;
    rc = await_turn(waiting, limits);
    if (rc == 1 && waiting->yielded)
        return 0;
    if (rc == 0)
        flk_watch_renew(watch);
    if (rc != 1)
        return rc;
    rc = flk_watch_wait(watch, limits, waiting->lookout->left);
    if (rc == 0)
        rc = await_turn(waiting, limits);
    return rc == 1 ? 0 : rc;
}

/*
 * Acquires as acquire_to_keep() does.  If descriptors have run out, gives up the places in the queue, and tries again.
 */
static enum outcome acquire_in_turn(const struct target *target, struct soft_lock *soft, struct attempt *attempt,
                                    const struct limits *limits)
{
    enum outcome rc = acquire_to_keep(target, soft, attempt, limits);

    if (flk_error_no_resources(rc) && flk_queue_leave(soft->queue))
        rc = acquire_to_keep(target, soft, attempt, limits);
    return rc;
}

/* Looks for a thread that has the path watched, and waits in the queue.  The last look does not leave the lock to others. */
static enum outcome look_in_turn(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    struct lookout *lookout = attempt->lookout;
    struct waiting *waiting = waiting_of(soft, lookout);
    enum outcome rc;

    attempt->yields = waiting->yields && !lookout->last;
    attempt->queues = waiting->queues;
    attempt->id = waiting->id;
    rc = acquire_in_turn(target, soft, attempt, lookout->limits);
    waiting->yielded = attempt->yielded;
    waiting->queues = attempt->queues;
    waiting->id = attempt->id;
    lookout->wait = await_look;
    lookout->state = CALL_WANTED;
    return rc;
}

/* ---- Looking -------------------------------------------------------------------------------- */

/* Look at no more than this many dead owners' markers at the same time: a helper thread does each, for some 30 ms. */
#define MAX_HELPERS 16

/* A call that looks at a marker, and takes it over if its owner is dead. */
struct taking_over {
    const struct target *target;
    struct soft_lock *soft;
    const char *path;
};

/*
 * Returns 0, -EAGAIN if the marker is held, or an error.  Cancelling stays off: the call is not ended halfway, but it
 * does not take long.
 */
static int call_take_over(void *arg)
{
    const struct taking_over *call = arg;
    const struct limits none = { .timeout_ms = FILELOCK_TRY, .cancel = FILELOCK_NO_WAITABLE };
    struct attempt attempt = { .path = call->path, .had_marker = true };
    int rc;

    (void) flk_cancel_disable();
    rc = acquire_to_keep(call->target, call->soft, &attempt, &none);
    return rc == CONTENDED ? -EAGAIN : rc;
}

/* Returns a number below MAX_HELPERS, different for different paths mostly. */
static unsigned char slot_of(const char *path)
{
    unsigned sum = 0;

    while (*path != '\0')
        sum = sum * 31 + (unsigned char) *path++;
    return (unsigned char) (sum % MAX_HELPERS);
}

static void want_call(const struct target *target, struct soft_lock *soft, struct lookout *lookout)
{
    struct taking_over *call = FLK_ROOM_OF(lookout, struct taking_over);

    *call = (struct taking_over) { target, soft, lookout->path };
    lookout->key = (struct call_key) { .size = 2, .bytes = { FILELOCK_KIND_SOFT, slot_of(lookout->path) } };
    lookout->call = call_take_over;
    lookout->state = CALL_WANTED;
}

/* Looks in the attendant, which leaves a marker that may be stale to a call. */
static enum outcome look_briefly(const struct target *target, struct soft_lock *soft, struct attempt *attempt)
{
    enum outcome rc;

    attempt->defers = true;
    rc = acquire_to_keep(target, soft, attempt, attempt->lookout->limits);
    if (rc == CONTENDED && attempt->deferred)
        want_call(target, soft, attempt->lookout);
    return rc;
}

/*
 * Writes what the threads of this process wait for that judge the marker at the path alike.  The directory is in it,
 * because threads may have roots and working directories of their own.  False: that cannot be told.
 */
static bool name_line(const struct target *target, const char *path, struct call_key *key)
{
    const int64_t rest[] = { target->kind->id, target->lease_ms, never_breaks(target) };
    struct identity folder;
    uint8_t digest[32];

    if (flk_file_folder_identity(path, &folder) != 0)
        return false;
    flk_sha256(path, strlen(path), digest);
    key->size = flk_file_key(&folder, key->bytes);
    memcpy(key->bytes + key->size, rest, sizeof(rest));
    key->size += sizeof(rest);
    memcpy(key->bytes + key->size, digest, sizeof(digest) / 2);
    key->size += sizeof(digest) / 2;
    return true;
}

/* True if no other thread of this process watches the marker at the path for the same. */
static bool is_first(const struct target *target, const char *path, struct lookout *lookout)
{
    struct call_key key;

    return !lookout->alone || !name_line(target, path, &key) || flk_lookout_first(lookout, &key);
}

/*
 * Looks for a thread that stands in line, and so neither watches nor has a place in the queue.  It has its ticket from its
 * first look on.
 */
static enum outcome look_in_line(const struct target *target, struct soft_lock *soft, struct attempt *attempt,
                                 struct lookout *lookout)
{
    struct waiting *waiting = waiting_of(soft, lookout);

    flk_lookout_close(lookout);
    (void) flk_queue_leave(&waiting->queue);
    flk_queue_arrive(&waiting->queue);
    lookout->wait = NULL;
    lookout->state = CALL_WANTED;
    return acquire_to_keep(target, soft, attempt, lookout->limits);
}

/* Looks once at the path, and returns as try() of struct kind does. */
static enum outcome look_at(const struct target *target, struct soft_lock *soft, const char *path,
                            struct lookout *lookout)
{
    struct attempt attempt = { .path = path, .had_marker = true };
    enum outcome rc;

    if (lookout->path == NULL && soft->queue == NULL) {
        search_at_once(soft);
        soft->had_marker = true; /* there was one just before */
    }
    if (!is_first(target, path, lookout)) {
        rc = look_in_line(target, soft, &attempt, lookout);
        lookout->left = attempt.left;
        return rc;
    }
    if (!flk_lookout_watch(lookout, path)) {
        rc = acquire_to_keep(target, soft, &attempt, lookout->limits);
        flk_lookout_nap(lookout);
        return rc;
    }
    attempt.lookout = lookout;
    rc = lookout->alone ? look_in_turn(target, soft, &attempt) : look_briefly(target, soft, &attempt);
    lookout->left = attempt.left;
    return rc;
}

/*
 * Caller has taken the lock at the path that is watched, if there is memory for that path, or at `path`.  Returns 0, or
 * AGAIN: the target's path no longer leads there, and the lock was given up.  After an error it was given up as well.
 */
static enum outcome keep_if_there(const struct target *target, struct soft_lock *soft, const char *path,
                                  const struct lookout *lookout)
{
    const char *taken = lookout->path != NULL ? lookout->path : path;
    int rc;

    if (strcmp(path, taken) == 0 && still_leads_there(target, taken)) {
        keep_path(target, soft, path);
        return 0;
    }
    rc = give_up(target, taken, soft);
    return rc == 0 ? AGAIN : rc;
}

/* The path cannot be found any more.  Returns the error; a lock that a call has taken is given up. */
static int no_path(const struct target *target, struct soft_lock *soft, const struct lookout *lookout, int error)
{
    if (soft->fd >= 0)
        (void) give_up(target, lookout->path, soft);
    return error;
}

/* True if a call has ended with an error that is the attempt's. */
static bool has_failed(bool called, int result)
{
    return called && result < 0 && result != -EAGAIN && result != -ECANCELED;
}

/* Looks where the path leads.  taken: a call has taken the lock at the path that is watched. */
static enum outcome look_there(const struct target *target, struct soft_lock *soft, bool taken, struct lookout *lookout)
{
    int rc;

    do {
        const char *path = path_of(target);

        if (path == NULL)
            return no_path(target, soft, lookout, -errno);
        rc = taken ? 0 : look_at(target, soft, path, lookout);
        taken = false;
        if (rc == 0)
            rc = keep_if_there(target, soft, path, lookout);
        if (rc != 0)
            free_path(target, path);
    } while (rc == AGAIN);
    return rc;
}

/* The call of a thread only waits.  The call for an attempt may have taken the lock. */
enum outcome flk_soft_look(const struct target *target, void *state, enum filelock_mode mode, struct lookout *lookout)
{
    int result = 0;
    bool called = flk_lookout_result(lookout, &result);
    enum outcome rc;

    (void) mode;
    if (lookout->state == CALL_RUNS)
        return CONTENDED;
    if (has_failed(called, result))
        return result;
    called = called && !lookout->alone;
    if (called && result == -EAGAIN) {
        flk_lookout_nap(lookout);
        return CONTENDED;
    }
    rc = look_there(target, state, called && result == 0, lookout);
    if (rc != CONTENDED || lookout->last)
        leave_queue(state);
    return rc;
}

bool flk_soft_looks_held(const struct target *target)
{
    const char *path = path_of(target);
    bool there = path != NULL && is_there(path);

    if (path != NULL)
        free_path(target, path);
    return there;
}

/* Leaves the queue, and releases a lock that a call has taken.  Its marker is sought where the path leads by now. */
void flk_soft_withdraw(const struct target *target, void *state)
{
    struct soft_lock *soft = state;
    const char *path = soft->fd >= 0 ? path_of(target) : NULL;

    leave_queue(soft);
    if (soft->fd < 0)
        return;
    (void) give_up(target, path != NULL ? path : target->path, soft);
    if (path != NULL)
        free_path(target, path);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/*
 * Makes a child that shares the lock write its own name into the marker at once.  Else the marker would name a dead
 * process for a moment after a daemon's parent has exited.
 */
void flk_soft_after_fork(const struct target *target, void *state, bool holds)
{
    struct soft_lock *soft = state;

    (void) target;
    trust_all(soft);
    if (soft->queue != NULL)
        flk_queue_forked(soft->queue);
    soft->queue = NULL;
    if (holds) {
        if (soft->fd >= 0 && flk_own_file(soft->fd, &soft->id) == 0)
            (void) flk_owner_name(soft->fd, flk_process_pid());
        return;
    }
    flk_own_close(soft->fd, &soft->id);
    soft->fd = -1;
}

/* True if the state has files open.  A suspicion may keep its file from one try to the next. */
bool flk_soft_has_open(const void *state)
{
    const struct soft_lock *soft = state;

    return soft->fd >= 0 || doubts_marker(soft) || doubts_leftover(soft);
}

static void soft_before_fork(const struct target *target, void *state)
{
    struct soft_lock *soft = state;

    (void) target;
    soft->last_forker = flk_process_pid();
    soft->modified = 0; /* the child writes its name into the marker */
}

/* ---- Questions ------------------------------------------------------------------------------ */

int flk_soft_target_key(const struct target *target, struct lock_key *key)
{
    struct identity id;
    int rc = flk_file_path_identity(target->path, flk_target_follows(target), &id);

    if (rc == 0)
        key->size = flk_file_key(&id, key->bytes);
    return rc;
}

void flk_soft_locked_key(const void *state, struct lock_key *key)
{
    key->size = flk_file_key(&((const struct soft_lock *) state)->id, key->bytes);
}

int flk_soft_descriptor(const void *state)
{
    const struct soft_lock *soft = state;

    return flk_own_file(soft->fd, &soft->id) == 0 ? flk_file_descriptor(soft->fd) : -1;
}

/* A marker is a lock without its descriptor as well. */
int flk_soft_check(const struct target *target, const void *state)
{
    const struct soft_lock *soft = state;
    struct identity id;
    int rc = flk_file_path_identity(target->path, flk_target_follows(target), &id);

    if (rc == 0)
        return flk_file_same(&id, &soft->id) && !is_successor(flk_soft_path(target, soft), soft) ? 0 : -ESTALE;
    return flk_error_no_file(rc) ? -ESTALE : rc;
}

int flk_soft_owner(const struct target *target, struct filelock_owner *owner)
{
    const char *path = path_of(target);
    struct marker marker;
    int verdict;

    if (path == NULL)
        return -errno;
    verdict = flk_marker_ask(path, &marker);
    if (verdict >= 0 && marker.record.pid != 0)
        flk_owner_from_record(&marker.record, owner);
    flk_marker_leave(&marker);
    free_path(target, path);
    return verdict == VERDICT_GONE ? -ENOENT : verdict < 0 ? verdict : 0;
}

static const char *unnamed_reason(const struct marker *marker)
{
    if (marker->record.claim == CLAIM_FOR_EVER)
        return "its marker names no process: if none holds it, break it";
    if (marker->verdict == VERDICT_UNCLEAR && !flk_file_is_remote(marker->fd) &&
        flk_file_writers(marker->fd, &marker->version.id) == WRITERS_UNSEEN)
        return "its marker names no process, and one that may have made it cannot be looked into: if none holds it, "
               "break it";
    return NULL;
}

const char *flk_soft_unnamed(const struct target *target)
{
    const char *path = path_of(target), *reason = NULL;
    struct marker marker;

    if (path == NULL)
        return NULL;
    if (flk_marker_ask(path, &marker) >= 0 && marker.fd >= 0 && marker.record.pid == 0 && marker.version.regular)
        reason = unnamed_reason(&marker);
    flk_marker_leave(&marker);
    free_path(target, path);
    return reason;
}

int flk_soft_break(const struct target *target)
{
    const char *path = path_of(target);
    struct draft draft;
    int rc;

    if (path == NULL)
        return -errno;
    draft_for(target, &draft);
    flk_fork_hold(); /* a child that is forked now would have copies of descriptors, and keep their files locked */
    rc = flk_marker_break(path, &draft);
    flk_fork_release();
    free_path(target, path);
    return rc;
}

const struct kind flk_kind_soft = {
    .id = FILELOCK_KIND_SOFT,
    .name = "soft",
    .abilities = OUTLIVES_PROCESS,
    .state_size = FLK_STATE_SIZE(struct soft_lock),
    .init = soft_init,
    .try = flk_soft_try,
    .looks_held = flk_soft_looks_held,
    .look = flk_soft_look,
    .withdraw = flk_soft_withdraw,
    .release = soft_release,
    .close = flk_soft_close,
    .after_fork = flk_soft_after_fork,
    .has_open = flk_soft_has_open,
    .before_fork = soft_before_fork,
    .target_key = flk_soft_target_key,
    .locked_key = flk_soft_locked_key,
    .descriptor = flk_soft_descriptor,
    .check = flk_soft_check,
    .owner = flk_soft_owner,
    .unnamed = flk_soft_unnamed,
    .break_marker = flk_soft_break,
};
