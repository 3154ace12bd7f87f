/* SPDX-License-Identifier: MIT
 *
 * Looking whether an operating system's lock can be taken, and waiting for it by a call that blocks in the kernel.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "kind.h"
#include "os/backend.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "os/os_look.h"
#include "os/os_take.h"
#include "outcome.h"
#include "system/file.h"
#include "system/own_file.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/lookout.h"

/* ---- Calls ---------------------------------------------------------------------------------- */

/* A call that waits for the lock of a file. */
struct blocked {
    const struct backend *backend;
    struct lock_request request;
    const struct job *job;
};

static struct blocked *blocked_of(struct lookout *lookout)
{
    return FLK_ROOM_OF(lookout, struct blocked);
}

static int wait_within(void *room, const struct limits *limits)
{
    const struct blocked *blocked = room;

    return blocked->backend->wait(&blocked->request, limits);
}

static int block(void *room)
{
    const struct blocked *blocked = room;

    return blocked->backend->block(&blocked->request, flk_job_stopper(blocked->job));
}

/* Writes what the call waits for.  Calls for different modes or ranges of a file may be granted at different times. */
static void name_call(const struct target *target, const struct lock_request *request, struct call_key *key)
{
    const int64_t rest[] = { target->kind->id, (int64_t) request->mode, request->range.start, request->range.length };

    key->size = flk_file_key(&request->id, key->bytes);
    memcpy(key->bytes + key->size, rest, sizeof(rest));
    key->size += sizeof(rest);
}

void flk_os_want_call(const struct target *target, const struct os_lock *os, enum filelock_mode mode,
                      struct lookout *lookout)
{
    struct blocked *blocked = blocked_of(lookout);

    *blocked = (struct blocked) { .backend = flk_backend_of(target),
                                  .request = { .fd = os->fd, .id = os->id, .range = target->range, .mode = mode },
                                  .job = &lookout->job };
    name_call(target, &blocked->request, &lookout->key);
    lookout->wait = wait_within;
    lookout->call = block;
    lookout->state = CALL_WANTED;
}

bool flk_os_is_refusal(int result)
{
    return result < 0 && result != -ESTALE && result != -ECANCELED;
}

/* ---- Looking -------------------------------------------------------------------------------- */

void flk_os_lock_withdraw(const struct target *target, void *state)
{
    struct os_lock *os = state;

    if (os->fd >= 0 && flk_own_file(os->fd, &os->id) == 0)
        (void) flk_backend_of(target)->unlock(os->fd, &target->range);
}

/* True if the call that has ended was for the file that is open. */
static bool was_for(const struct os_lock *os, struct lookout *lookout)
{
    return os->fd >= 0 && flk_own_file(os->fd, &os->id) == 0 &&
           flk_file_same(&os->id, &blocked_of(lookout)->request.id);
}

/* Takes over what the call got.  Returns as flk_os_lock_prove() does; CONTENDED: the call has locked another file. */
static enum outcome take_granted(const struct target *target, struct os_lock *os, enum filelock_mode mode)
{
    const struct backend *backend = flk_backend_of(target);
    enum outcome rc = backend->grants_again ? backend->try(os->fd, &target->range, mode) : TAKEN;

    if (rc == TAKEN)
        rc = flk_os_lock_prove(target, os, mode);
    return flk_os_lock_gone(target, os, rc);
}

/* Takes the lock, if it can be had.  granted: the call got the lock of the file that is open. */
static enum outcome take(const struct target *target, struct os_lock *os, enum filelock_mode mode, bool granted)
{
    enum outcome rc = granted ? take_granted(target, os, mode) : AGAIN;

    return rc == AGAIN || rc == CONTENDED ? flk_os_lock_take(target, os, mode) : rc;
}

enum outcome flk_os_lock_look(const struct target *target, void *state, enum filelock_mode mode,
                              struct lookout *lookout)
{
    struct os_lock *os = state;
    int result = 0;
    bool called = flk_lookout_result(lookout, &result), same = called && was_for(os, lookout);
    enum outcome rc = CONTENDED;

    if (lookout->state == CALL_RUNS)
        return CONTENDED;
    if (!lookout->tried || os->fd < 0)
        rc = take(target, os, mode, same && result == 0);
    if (rc != CONTENDED)
        return rc;
    same = same && was_for(os, lookout);
    if (same && flk_os_is_refusal(result)) {
        rc = flk_os_lock_refused(os, result);
        return rc == AGAIN ? flk_os_lock_look(target, state, mode, lookout) : rc;
    }
    if (same || os->fd < 0 || os->smb)
        flk_lookout_nap(lookout); /* a call would not help, or could not be ended */
    else
        flk_os_want_call(target, os, mode, lookout);
    return CONTENDED;
}
