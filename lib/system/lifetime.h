/* SPDX-License-Identifier: MIT
 *
 * The life of threads and of the process: their ends, and forks.
 */
#ifndef FLK_LIFETIME_H
#define FLK_LIFETIME_H

#include <stdbool.h>

/*
 * The functions by which a part of the library is told of these events.  A member may be NULL.  The three functions of
 * a fork are called with the guard taken, in the order of the subscribers.  In a child they may do only what is
 * async-signal-safe.
 */
struct subscriber {
    void (*thread_ended)(void);          /* in a thread that called flk_thread_watch_end() */
    void (*process_ends)(void);          /* in the thread that called exit(3), or that unloads the library's code */
    bool (*before_fork)(void);           /* true: the parent waits until child_forked has returned in the child */
    void (*parent_forked)(void);         /* before the parent waits for the child */
    void (*child_forked)(bool prepared); /* false: before_fork was not called */
};

/*
 * Starts telling the subscribers, a list that ends with NULL.  Does nothing if an earlier call did that.  watch_end,
 * which may be NULL, is called by the start: it sees to it that flk_lifetime_end() is called at the end, and returns 0
 * or an errno value.  Returns 0, -ENOMEM or -EAGAIN.  After an error the next call tries again.
 */
int flk_lifetime_start(const struct subscriber *const *all, int (*watch_end)(void));

/*
 * Tells the subscribers of the end, and gives back what flk_lifetime_start() took.  The library may still be used until
 * its code is unloaded.
 */
void flk_lifetime_end(void);

/* Makes sure that the subscribers are told when the calling thread ends. */
void flk_thread_watch_end(void);

/* ---- Between lifetime.c and the platform ---------------------------------------------------- */

/* Tell the subscribers.  flk_tell_before_fork() returns true if the parent has to wait until the child is ready. */
void flk_tell_thread_ended(void);
bool flk_tell_before_fork(void);
void flk_tell_parent_forked(void);
void flk_tell_child_forked(bool prepared);

/* Registers the handlers of the platform, and calls watch_end.  Caller holds the guard.  Returns 0 or -errno. */
int flk_lifetime_register(int (*watch_end)(void));

/* Takes back what may not be called after the code is unloaded. */
void flk_lifetime_unregister(void);

#endif
