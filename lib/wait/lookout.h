/* SPDX-License-Identifier: MIT
 *
 * Lookouts: what tells an attempt for which no thread waits when to look again.  A kind sets a lookout in each look.
 */
#ifndef FLK_LOOKOUT_H
#define FLK_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wait/crowd.h"
#include "wait_types.h"

/*
 * The states of a lookout's call, which blocks in a helper thread:
 *   CALL_NONE     there is none
 *   CALL_WANTED   it is to be started
 *   CALL_QUEUED   the call of another lookout with the same key is WANTED or RUNS: this one waits until that has ended
 *   CALL_NEXT     the call was QUEUED, and its turn has come: the next look tells whether it is still wanted
 *   CALL_RUNS     a helper makes the call
 *   CALL_ENDED    the result is there
 */
enum call_state { CALL_NONE, CALL_WANTED, CALL_QUEUED, CALL_NEXT, CALL_RUNS, CALL_ENDED };

/* What a call waits for.  Only one of several calls with the same key is made at a time. */
struct call_key {
    size_t size;
    unsigned char bytes[64];
};

struct lookout {
    int64_t left; /* the ns until the next look is due; FLK_NEVER: none is, until something is told */
    int64_t nap;  /* ns; the length of the next nap, which grows */

    char *path; /* the path that is watched; NULL: none */
    struct place place;

    enum call_state state;
    bool lasting;           /* the call cannot be ended: no look is due while it runs */
    bool refused;           /* no helper was to be had for the last call that was wanted */
    int (*call)(void *arg); /* keeps to the rules of flk_helper_call(), and gets `room` */
    int result;
    struct call_key key;
    struct job job;
    int64_t room[24]; /* for what the kind gives to its call */
};

void flk_lookout_open(struct lookout *lookout);

/* Ends the watch.  There is no call any more. */
void flk_lookout_close(struct lookout *lookout);

/* For a kind: watches the path.  Returns the place, or NULL: it cannot be watched, and the lookout naps. */
struct place *flk_lookout_watch(struct lookout *lookout, const char *path);

/* For a kind: makes the next look due after a nap. */
void flk_lookout_nap(struct lookout *lookout);

/* True if a call has ended. */
bool flk_lookout_has_result(struct lookout *lookout);

/* Takes the result of a call that has ended.  False if there is none; lookout->state tells whether the call runs. */
bool flk_lookout_result(struct lookout *lookout, int *result);

/* True if a call runs that has to end before the next look. */
bool flk_lookout_is_engaged(struct lookout *lookout);

/* Ends the call, if it runs.  The next look takes its result; -ECANCELED: it may have done its work or not. */
void flk_lookout_stop(struct lookout *lookout);

/* Returns the ns until the next look is due. */
int64_t flk_lookout_patience(struct lookout *lookout);

/* True if the calls of both wait for the same. */
bool flk_lookout_same_call(const struct lookout *a, const struct call_key *key);

#endif
