/* SPDX-License-Identifier: MIT
 *
 * Looking, and waiting until it is time to look again.
 */
#include "config.h"

#include <errno.h>

#include "outcome.h"
#include "wait/await.h"
#include "wait/limits.h"
#include "wait/line.h"
#include "wait/lookout.h"
#include "wait/wakeup.h"
#include "wait/watch.h"

/* Waits until the thread is the first in its line, or until it has to look. */
static int wait_in_line(struct lookout *lookout, const struct limits *limits)
{
    const struct limits patient = flk_limits_within(limits, lookout->left);
    int rc = flk_line_wait(lookout->line, &patient);

    return rc == -ETIMEDOUT && flk_limits_left(limits) != 0 ? 0 : rc;
}

/*
 * Makes the call when no other thread of this process waits for the same.  A call without limits needs no helper, and is
 * made at once.
 */
static enum outcome call_in_line(struct lookout *lookout, const struct limits *limits)
{
    struct line_place place = { .taken = false };
    enum outcome rc;

    if (lookout->wait == NULL)
        return wait_in_line(lookout, limits);
    if (lookout->key.size == 0 || flk_limits_none(limits))
        return lookout->wait(lookout->room, limits);
    (void) flk_line_take(&place, &lookout->key, limits);
    rc = flk_line_wait(&place, limits);
    if (rc == TAKEN)
        rc = lookout->wait(lookout->room, limits);
    flk_line_leave(&place);
    return rc;
}

/*
 * Makes the call that is wanted.  Returns 0, and the lookout has its result; the limit that was reached, and the call may
 * have done its work or not; or NO_MEANS: it was not made.
 */
static int make_call(struct lookout *lookout, const struct limits *limits)
{
    enum outcome rc = call_in_line(lookout, limits);

    if (rc == NO_MEANS) {
        lookout->state = CALL_NONE;
        flk_lookout_nap(lookout);
        return NO_MEANS;
    }
    lookout->state = CALL_ENDED;
    lookout->result = flk_is_limit(rc) ? -ECANCELED : rc;
    return flk_is_limit(rc) ? (int) rc : 0;
}

/* Waits until it is time to look.  Returns 0, or the limit that was reached. */
static int wait_once(struct lookout *lookout, const struct limits *limits)
{
    int rc = NO_MEANS;

    if (lookout->state == CALL_WANTED)
        rc = make_call(lookout, limits);
    if (rc != NO_MEANS)
        return rc;
    if (lookout->path != NULL)
        return flk_watch_wait(&lookout->by.watch, limits, lookout->left);
    return flk_nap_within(limits, lookout->left);
}

/* Waits as wait_once() does, and looks at the clock too: if there is always something to look at, no wait ends by it. */
static int wait_in_time(struct lookout *lookout, const struct limits *limits)
{
    int rc = wait_once(lookout, limits);

    return rc == 0 && flk_limits_left(limits) == 0 ? -ETIMEDOUT : rc;
}

static enum outcome look(const struct awaited *awaited, void *arg, struct lookout *lookout)
{
    enum outcome rc;

    lookout->left = FLK_NEVER;
    rc = awaited->look(arg, lookout);
    lookout->tried = false;
    return rc;
}

static bool goes_on(enum outcome rc)
{
    return rc == CONTENDED || rc == UNREACHED;
}

enum outcome flk_await(const struct awaited *awaited, void *arg, const struct limits *limits)
{
    struct line_place line = { .taken = false };
    struct lookout lookout;
    bool called = false; /* a call was made that may have got what the last look did not take */
    enum outcome rc;
    int limit = 0;

    flk_lookout_open_alone(&lookout, limits);
    lookout.tried = awaited->tried;
    lookout.line = &line;
    while (goes_on(rc = look(awaited, arg, &lookout)) && !lookout.last) {
        called = called || lookout.state == CALL_WANTED;
        limit = wait_in_time(&lookout, limits);
        lookout.last = limit == -ETIMEDOUT;
        if (limit != 0 && !lookout.last)
            break;
    }
    /* The last look would have taken what a call got, unless it failed. */
    if (called && rc != TAKEN && !(goes_on(rc) && lookout.last) && awaited->withdraw != NULL)
        awaited->withdraw(arg);
    flk_lookout_close(&lookout);
    flk_line_leave(&line);
    if (!goes_on(rc))
        return rc;
    return rc == UNREACHED && limit == -ETIMEDOUT ? -EHOSTUNREACH : limit;
}

/* ---- What nothing tells --------------------------------------------------------------------- */

struct retry {
    enum outcome (*call)(void *arg);
    void *arg;
};

static enum outcome look_by_call(void *arg, struct lookout *lookout)
{
    const struct retry *retry = arg;

    flk_lookout_nap(lookout);
    return retry->call(retry->arg);
}

enum outcome flk_retry(enum outcome (*call)(void *arg), void *arg, const struct limits *limits)
{
    static const struct awaited awaited = { .look = look_by_call };
    struct retry retry = { call, arg };

    return flk_await(&awaited, &retry, limits);
}
