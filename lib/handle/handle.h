/* SPDX-License-Identifier: MIT
 *
 * The handle, which is the same for every kind of lock.  It deals with recursion, threads, timeouts and fork for all
 * kinds: a kind is called by a single thread at a time, and never acquires a lock twice.
 */
#ifndef FLK_HANDLE_H
#define FLK_HANDLE_H

#include "handle/gate_state.h"
#include "kind.h"
#include "system/list.h"

enum asked {
    ASKED_NOTHING,
    ASKED_ACQUIRE,
    ASKED_RELEASE,
    ASKED_CHECK,
    ASKED_OWNER,
    ASKED_BREAK,
    ASKED_CONVERT,
    ASKED_FINISH,
    ASKED_REMAINING,
    ASKED_TOKEN
};

struct announcement;
struct attempt;
struct shelf;

/* The last request of the caller, for filelock_describe(). */
struct request {
    enum asked what;
    enum filelock_mode mode;
    int64_t timeout_ms;
};

struct filelock {
    /* These never change. */
    struct shelf *shelf;
    struct target target;
    int64_t timeout_ms;
    filelock_waitable cancel;
    void (*on_wait)(struct filelock *lock, void *arg);
    void *on_wait_arg;

    /* These are under the shelf's mutex, which no thread holds while it waits for anything. */
    struct list *list; /* the list of the shelf that the handle is on; NULL: none */
    struct link link;  /* on that list */
    struct gate gate;
    struct request request;
    enum filelock_mode mode;            /* of the lock that is held */
    unsigned depth;                     /* the levels of callers; 0: no caller holds the lock */
    unsigned unclaimed;                 /* levels of attempts that have joined the lock, and are not finished */
    bool converting;                    /* a thread changes the mode of the lock, which stays held */
    bool beginning;                     /* a thread is in filelock_acquire_begin(), and no attempt is under way yet */
    struct attempt *attempt;            /* NULL: none is under way */
    struct announcement *announcements; /* an entry for each thread that is in on_wait */

    /* The kind's own.  Only the thread that has the turn uses it. */
    int64_t state[];
};

#endif
