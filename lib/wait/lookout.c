/* SPDX-License-Identifier: MIT
 *
 * What tells when to look again: a watch, a call, or the time.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "wait/crowd.h"
#include "wait/helper.h"
#include "wait/limits.h"
#include "wait/line.h"
#include "wait/lookout.h"
#include "wait/nap.h"
#include "wait/watch.h"

void flk_lookout_open(struct lookout *lookout)
{
    static const struct limits none = { .timeout_ms = FILELOCK_TRY, .cancel = FILELOCK_NO_WAITABLE };

    *lookout = (struct lookout) { .limits = &none, .left = FLK_NEVER, .nap = FLK_FIRST_NAP };
}

void flk_lookout_open_alone(struct lookout *lookout, const struct limits *limits)
{
    flk_lookout_open(lookout);
    lookout->alone = true;
    lookout->limits = limits;
}

void flk_lookout_close(struct lookout *lookout)
{
    if (lookout->path == NULL)
        return;
    if (lookout->alone)
        flk_watch_close(&lookout->by.watch);
    else
        flk_crowd_leave(&lookout->by.place);
    free(lookout->path);
    lookout->path = NULL;
}

bool flk_lookout_first(struct lookout *lookout, const struct call_key *key)
{
    return lookout->line == NULL || flk_line_take(lookout->line, key, lookout->limits);
}

bool flk_lookout_watch(struct lookout *lookout, const char *path)
{
    size_t size = strlen(path) + 1;

    if (lookout->path != NULL && strcmp(lookout->path, path) == 0)
        return true;
    flk_lookout_close(lookout);
    lookout->path = malloc(size);
    if (lookout->path == NULL)
        return false;
    memcpy(lookout->path, path, size);
    if (lookout->alone)
        flk_watch_open(&lookout->by.watch, lookout->path);
    else
        flk_crowd_join(&lookout->by.place, lookout->path);
    return true;
}

bool flk_lookout_process(struct lookout *lookout, int64_t pid, const char *token)
{
    if (lookout->alone)
        return flk_watch_process(&lookout->by.watch, pid, token);
    return flk_crowd_process(&lookout->by.place, pid, token);
}

bool flk_lookout_doubts(const struct lookout *lookout)
{
    return !lookout->alone && flk_crowd_doubts(&lookout->by.place);
}

void flk_lookout_nap(struct lookout *lookout)
{
    lookout->left = flk_next_nap(&lookout->nap);
}

bool flk_lookout_has_result(struct lookout *lookout)
{
    if (lookout->state == CALL_RUNS && flk_job_is_done(&lookout->job, &lookout->result))
        lookout->state = CALL_ENDED;
    return lookout->state == CALL_ENDED;
}

bool flk_lookout_result(struct lookout *lookout, int *result)
{
    if (!flk_lookout_has_result(lookout))
        return false;
    lookout->state = CALL_NONE;
    *result = lookout->result;
    return true;
}

bool flk_lookout_is_engaged(struct lookout *lookout)
{
    return lookout->lasting && lookout->state == CALL_RUNS && !flk_lookout_has_result(lookout);
}

void flk_lookout_stop(struct lookout *lookout)
{
    if (lookout->state == CALL_RUNS) {
        lookout->result = flk_job_stop(&lookout->job);
        lookout->state = CALL_ENDED;
    } else if (lookout->state != CALL_ENDED) {
        lookout->state = CALL_NONE;
    }
}

int64_t flk_lookout_patience(struct lookout *lookout)
{
    int64_t nap = lookout->path != NULL ? flk_crowd_patience(&lookout->by.place) : FLK_NEVER;

    return nap < lookout->left ? nap : lookout->left;
}
