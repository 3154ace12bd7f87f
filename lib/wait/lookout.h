/* SPDX-License-Identifier: MIT
 *
 * Lookouts: what tells a waiter when to look again.  A kind sets a lookout in each look.
 *
 * A thread that waits has a lookout of its own (await.h).  The attendant has one for each errand (attend.h), and waits by
 * all of them at once.
 */
#ifndef FLK_LOOKOUT_H
#define FLK_LOOKOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wait/crowd.h"
#include "wait/limits.h"
#include "wait/line.h"
#include "wait_types.h"

/*
 * The states of a lookout's call, which blocks:
 *   CALL_NONE     there is none
 *   CALL_WANTED   it is to be made
 *   CALL_QUEUED   the call of another lookout with the same key is WANTED or RUNS: this one waits until that has ended
 *   CALL_NEXT     the call was QUEUED, and its turn has come: the next look tells whether it is still wanted
 *   CALL_RUNS     a helper makes the call
 *   CALL_ENDED    the result is there
 */
enum call_state { CALL_NONE, CALL_WANTED, CALL_QUEUED, CALL_NEXT, CALL_RUNS, CALL_ENDED };

/* The bytes of a lookout's room for what a kind gives to its call. */
#define FLK_ROOM_SIZE 256

/* The lookout's room, as a pointer to this type.  Does not compile if the room is too small. */
#define FLK_ROOM_OF(lookout, type) \
    ((type *) (void *) ((lookout)->room + 0 * sizeof(char[sizeof(type) <= FLK_ROOM_SIZE ? 1 : -1])))

struct lookout {
    bool alone; /* a single thread waits by it; false: the attendant does, by all of its lookouts at once */
    bool tried; /* the lock was tried just before this look, and was held */
    bool last;  /* the time is up: no other look follows */

    struct line_place *line;     /* where the thread stands; NULL: it is no thread's */
    const struct limits *limits; /* what ends a look that has to wait a little: cancel or a signal, not the time */

    int64_t left; /* the ns until the next look is due; FLK_NEVER: none is, until something is told */
    int64_t nap;  /* ns; the length of the next nap, which grows */

    char *path; /* the path that is watched; NULL: none */
    union {
        struct place place; /* in the crowd */
        struct watch watch; /* alone */
    } by;

    /*
     * The call.  Both functions get `room`.
     *
     * A thread that waits makes wait().  It waits within limits, and returns as flk_helper_call() does; -EINVAL: the
     * cancel waitable is not open.  NULL: the thread waits until it is the first in its line, or until the next look
     * is due.
     *
     * A helper thread makes call() for the attendant.  call() keeps to the rules of flk_helper_call().
     */
    enum call_state state;
    int (*wait)(void *room, const struct limits *limits);
    int (*call)(void *room);
    bool lasting; /* call() cannot be ended: no look is due while it runs */
    bool refused; /* no helper was to be had for the last call that was wanted */
    int result;
    struct call_key key;
    struct job job;
    int64_t room[FLK_ROOM_SIZE / 8];
};

void flk_lookout_open(struct lookout *lookout);

/* Opens the lookout of a thread.  limits: those of its wait. */
void flk_lookout_open_alone(struct lookout *lookout, const struct limits *limits);

/* Ends the watch.  There is no call any more. */
void flk_lookout_close(struct lookout *lookout);

/*
 * For a kind whose waiters watch: of the threads of this process that wait for the same, only the first watches, and the
 * others stand in line.  True if the lookout's thread is the first, or if the lookout is no thread's.
 */
bool flk_lookout_first(struct lookout *lookout, const struct call_key *key);

/* For a kind: watches the path.  False: there is no memory for that, and the kind naps. */
bool flk_lookout_watch(struct lookout *lookout, const char *path);

/* For a kind whose path is watched: sets which process is watched, and returns as flk_watch_process() does. */
bool flk_lookout_process(struct lookout *lookout, int64_t pid, const char *token);

/* True if the watched process is known to have ended, or cannot be watched.  Always false for a thread's lookout. */
bool flk_lookout_doubts(const struct lookout *lookout);

/* For a kind: makes the next look due after a nap. */
void flk_lookout_nap(struct lookout *lookout);

/* True if a call has ended. */
bool flk_lookout_has_result(struct lookout *lookout);

/* Takes the result of a call that has ended.  False if there is none; lookout->state tells whether the call runs. */
bool flk_lookout_result(struct lookout *lookout, int *result);

/* True if a call runs that has to end before the next look. */
bool flk_lookout_is_engaged(struct lookout *lookout);

/* Ends a call that runs, and forgets a call that has not begun.  -ECANCELED: the call may have done its work or not. */
void flk_lookout_stop(struct lookout *lookout);

/* For the attendant's lookouts alone: returns the ns until the next look is due. */
int64_t flk_lookout_patience(struct lookout *lookout);

#endif
