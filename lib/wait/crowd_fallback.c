/* SPDX-License-Identifier: MIT
 *
 * A crowd that looks again after naps, where the system does not tell.
 */
#include "config.h"

#include "wait/crowd.h"
#include "wait/nap.h"

void flk_crowd_join(struct place *place, const char *path)
{
    (void) path;
    *place = (struct place) { .directory = -1, .nap = FLK_FIRST_NAP };
}

void flk_crowd_leave(struct place *place)
{
    (void) place;
}

bool flk_crowd_process(struct place *place, int64_t pid, const char *token)
{
    (void) place;
    (void) pid;
    (void) token;
    return false;
}

bool flk_crowd_doubts(const struct place *place)
{
    (void) place;
    return false;
}

int64_t flk_crowd_patience(struct place *place)
{
    return flk_next_nap(&place->nap);
}

void flk_crowd_end(void)
{
}

const struct subscriber flk_crowd_subscriber = { .child_forked = NULL };
