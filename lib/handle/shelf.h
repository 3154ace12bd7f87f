/* SPDX-License-Identifier: MIT
 *
 * Shelves, on which handles are found that matter at a fork, or at the end of a thread or of the process.
 *
 * A handle that is at rest and has no file open is on no list, so that many such handles cost nothing.  All handles of
 * a shelf share its mutex.  So a fork can lock all mutexes, and the child finds none that another thread has locked.
 */
#ifndef FLK_SHELF_H
#define FLK_SHELF_H

#include "system/list.h"
#include "system/thread.h"

struct filelock;

struct shelf {
    struct mutex mutex;
    struct list active;  /* the turn is not FREE, or there is an attempt */
    struct list resting; /* at rest, with something open that a forked child must not keep */
};

/* Iterates over all shelves: returns the first after NULL, and NULL after the last. */
struct shelf *flk_shelf_next(struct shelf *after);

/* Caller holds the mutex of the shelf.  These iterate over the handles of a list; NULL: there is none, or no more. */
struct filelock *flk_shelf_first(const struct list *list);
struct filelock *flk_shelf_after(const struct filelock *lock);

/* Returns the shelf of a new handle. */
struct shelf *flk_shelf_for(const struct filelock *lock);

/*
 * Caller holds the shelf's mutex.  Puts a handle on the list that its turn, its attempt and its state ask for, or on
 * none.
 */
void flk_shelf_put(struct filelock *lock);

/* Caller holds the shelf's mutex.  Takes a handle off its list. */
void flk_shelf_take(struct filelock *lock);

#endif
