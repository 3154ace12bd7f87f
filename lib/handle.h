/* SPDX-License-Identifier: MIT
 *
 * The handle: what every kind of lock has in common.  Recursion, threads, timeouts and fork are
 * dealt with on this level, once; a kind sees one thread at a time, and never a lock twice.
 */
#ifndef FLK_HANDLE_H
#define FLK_HANDLE_H

#include "kind.h"
#include "turn.h"

enum asked { ASKED_NOTHING, ASKED_ACQUIRE, ASKED_RELEASE, ASKED_CHECK, ASKED_OWNER, ASKED_BREAK };

/* What the caller asked for last: for filelock_describe(). */
struct request {
    enum asked what;
    enum filelock_mode mode;
    int64_t timeout_ms;
};

struct filelock {
    struct filelock *next, *previous; /* all handles of the process, under the guard */

    /* Unchanging. */
    struct target target;
    int64_t timeout_ms;
    filelock_waitable cancel;

    /* Under the mutex, which is never held while anything is waited for. */
    struct mutex mutex;
    struct turns turns;
    struct request request;
    enum filelock_mode mode; /* of the lock that is held */
    unsigned depth;          /* 0: not held */

    /* The kind's, whoever's turn it is. */
    int64_t state[];
};

bool flk_any_thread(const struct filelock *lock);

/* Whether the calling thread (or the handle) holds the lock.  Wants the mutex. */
bool flk_is_mine(const struct filelock *lock);

/* Notes what the caller asks.  Takes the mutex. */
void flk_asked(struct filelock *lock, enum asked what);

/* Gives up a held lock whose turn was made BUSY by the caller, who will never come back for it. */
void flk_abandon(struct filelock *lock);

/* A const handle still has a mutex to lock. */
struct mutex *flk_mutex_of(const struct filelock *lock);

#endif
