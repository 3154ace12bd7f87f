/* SPDX-License-Identifier: MIT
 *
 * Leases: soft locks that expire.
 *
 * A holder gives its marker a new time again and again (renewal.h).  A contender takes over a marker that has stood
 * unchanged for its duration, even if its holder lives.  So a lease can be lost: its holder is told, and from then on
 * touches nothing at the path.  doc/soft.md has the argument.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "kind.h"
#include "outcome.h"
#include "soft/renewal.h"
#include "soft/soft_lock.h"
#include "system/file.h"
#include "wait/limits.h"

#define NS_PER_MS 1000000

/* The longest lease.  A record of a longer one would be read as a claim without an end. */
#define MAX_LEASE_MS 999999999999

/* The state of a lease, in its handle. */
struct lease {
    struct soft_lock soft; /* first: the functions of soft locks get the same state */
    uint64_t renewal;      /* the number of renewal.h while the lock is held, else 0 */
    enum loss loss;        /* of the lock that was released last */
};

static int lease_init(const struct target *target, void *state)
{
    if ((target->flags & FILELOCK_FORK_SHARE) != 0 || target->lease_ms > MAX_LEASE_MS)
        return -EINVAL;
    *(struct lease *) state = (struct lease) { .soft = { .fd = -1 } };
    return 0;
}

/* ---- Acquiring ------------------------------------------------------------------------------ */

/* Begins to renew a lock that was just acquired.  Returns 0, or -errno and the lock is given up. */
static int begin_renewal(const struct target *target, struct lease *lease)
{
    struct soft_lock *soft = &lease->soft;
    struct lease_terms terms = {
        .path = flk_soft_path(target, soft),
        .fd = soft->fd,
        .id = soft->id,
        .duration = target->lease_ms * NS_PER_MS,
        .began = soft->began,
    };
    struct file_version version;
    int rc = flk_file_version(soft->fd, &version);

    if (rc == 0) {
        terms.modified = version.modified;
        rc = flk_renewal_begin(&terms, &lease->renewal);
    }
    if (rc != 0)
        (void) flk_soft_give_up(target, soft);
    return rc;
}

/* Forgets how the lease before was lost, and what refused an attempt. */
static void start_over(struct lease *lease)
{
    lease->loss = LOSS_NONE;
    lease->soft.other_lease = 0;
}

static enum outcome lease_try(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    struct lease *lease = state;
    int rc;

    start_over(lease);
    rc = flk_soft_try(target, state, mode, waits);
    return rc == TAKEN ? begin_renewal(target, lease) : rc;
}

static enum outcome lease_look(const struct target *target, void *state, enum filelock_mode mode,
                               struct lookout *lookout)
{
    int rc;

    if (lookout->state != CALL_RUNS && lookout->state != CALL_ENDED) /* the call writes what refused it */
        start_over(state);
    rc = flk_soft_look(target, state, mode, lookout);
    return rc == TAKEN ? begin_renewal(target, state) : rc;
}

/* ---- Releasing ------------------------------------------------------------------------------ */

/* Returns why the path does not name the marker any more. */
static enum loss loss_at(const struct target *target)
{
    struct identity id;

    return flk_file_path_identity(target->path, flk_target_follows(target), &id) == 0 ? LOSS_TAKEN_OVER : LOSS_REMOVED;
}

static void end_renewal(struct lease *lease)
{
    flk_renewal_end(lease->renewal);
    lease->renewal = 0;
}

static enum outcome lease_release(const struct target *target, void *state, enum filelock_mode mode)
{
    struct lease *lease = state;
    enum loss loss = flk_renewal_pause(lease->renewal);
    enum outcome rc = LOST;

    (void) mode;
    if (loss != LOSS_NONE)
        flk_soft_abandon(&lease->soft);
    else
        rc = flk_soft_remove(target, &lease->soft);
    if (rc < 0) {
        flk_renewal_resume(lease->renewal);
        return rc;
    }
    if (rc == LOST && loss == LOSS_NONE)
        loss = loss_at(target);
    lease->loss = loss;
    end_renewal(lease);
    return rc;
}

/* Releases the lock if it is held.  A lock that was lost is left as it is. */
static void lease_close(const struct target *target, void *state)
{
    struct lease *lease = state;

    if (lease->renewal != 0 && flk_renewal_pause(lease->renewal) != LOSS_NONE)
        flk_soft_abandon(&lease->soft);
    flk_soft_close(target, &lease->soft);
    if (lease->renewal != 0)
        end_renewal(lease);
}

/* A child holds no lease, since nothing renews it there.  renewal.h gives up the rest. */
static void lease_after_fork(const struct target *target, void *state, bool holds)
{
    struct lease *lease = state;

    flk_soft_after_fork(target, &lease->soft, holds);
    lease->renewal = 0;
    lease->loss = LOSS_NONE;
}

/* ---- Questions ------------------------------------------------------------------------------ */

static int lease_check(const struct target *target, const void *state)
{
    if (flk_renewal_left(((const struct lease *) state)->renewal) == 0)
        return -ESTALE;
    return flk_soft_check(target, state);
}

static int64_t lease_remaining(const void *state)
{
    return flk_renewal_left(((const struct lease *) state)->renewal);
}

static filelock_waitable lease_lost(const void *state)
{
    return flk_renewal_waitable(((const struct lease *) state)->renewal);
}

static bool explain_loss(const struct lease *lease, char *text, size_t size)
{
    static const char *const reasons[] = {
        [LOSS_REMOVED] = "the lease was lost: its file was removed",
        [LOSS_TAKEN_OVER] = "the lease was lost: another holder has taken it over",
        [LOSS_NOT_RENEWED] = "the lease was lost: it was not renewed in time",
    };
    enum loss loss = lease->renewal != 0 ? flk_renewal_loss(lease->renewal) : lease->loss;

    if (loss != LOSS_NONE)
        (void) snprintf(text, size, "%s", reasons[loss]);
    return loss != LOSS_NONE;
}

static bool lease_explain(const struct target *target, const void *state, int error, char *text, size_t size)
{
    const struct lease *lease = state;
    int64_t other = lease->soft.other_lease / NS_PER_MS;

    if (error == -ESTALE)
        return explain_loss(lease, text, size);
    if (error != -EINVAL || lease->soft.other_lease == 0)
        return false;
    (void) snprintf(text, size,
                    "it is held by a lease of %" PRId64 ".%03" PRId64 " s, and this is one of %" PRId64 ".%03" PRId64
                    " s: all that share it need the same duration",
                    other / 1000, other % 1000, target->lease_ms / 1000, target->lease_ms % 1000);
    return true;
}

const struct kind flk_kind_lease = {
    .id = FILELOCK_KIND_LEASE,
    .name = "lease",
    .abilities = OUTLIVES_PROCESS | EXPIRES,
    .default_lease_ms = 30000,
    .state_size = FLK_STATE_SIZE(struct lease),
    .init = lease_init,
    .try = lease_try,
    .looks_held = flk_soft_looks_held,
    .look = lease_look,
    .withdraw = flk_soft_withdraw,
    .release = lease_release,
    .close = lease_close,
    .after_fork = lease_after_fork,
    .has_open = flk_soft_has_open,
    .target_key = flk_soft_target_key,
    .locked_key = flk_soft_locked_key,
    .descriptor = flk_soft_descriptor,
    .check = lease_check,
    .remaining = lease_remaining,
    .lost = lease_lost,
    .owner = flk_soft_owner,
    .unnamed = flk_soft_unnamed,
    .explain = lease_explain,
    .break_marker = flk_soft_break,
};
