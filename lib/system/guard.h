/* SPDX-License-Identifier: MIT
 *
 * The guard, and the state of forks that goes with it.
 */
#ifndef FLK_GUARD_H
#define FLK_GUARD_H

#include <stdbool.h>

#include "system_types.h"

/*
 * The guard protects what a forked child must find whole: the list of handles, and the descriptors that they have.
 * It is taken before any handle's mutex, never after.  A fork takes it before all of them.
 */
void flk_guard_lock(void);
void flk_guard_unlock(void);

/*
 * Caller holds the guard, and has deleted the record of this file.  Gives the guard back, and closes the file after
 * that: the server of a file may hang, and then only the caller waits for it.  A child that is forked meanwhile closes
 * its copy, if it is this file.
 */
void flk_guard_unlock_closing(int fd, const struct identity *id);

/*
 * A descriptor that was opened while another thread forked has a copy in the child.  Nothing in the child knows of the
 * copy, and it would keep a lock alive.  So a thread calls flk_open_begin() before it opens a file that will be locked,
 * and gives the result to flk_open_commit() afterwards.  That takes the guard and returns
 *   true   there was no fork: the caller may record the descriptor, and then gives the guard back
 *   false  there was a fork: the caller must close the descriptor and open the file again
 * A fork waits for threads that are between the two calls, but not for ever, since an open(2) may hang.
 */
unsigned flk_open_begin(void);
bool flk_open_commit(unsigned epoch);

/* Holds off forks, as flk_open_begin() does, for files that the caller closes before flk_fork_release(). */
void flk_fork_hold(void);
void flk_fork_release(void);

/* ---- For the fork handlers, on platforms that fork ------------------------------------------ */

/* Makes the guard ready for forks.  Called once, before the first fork. */
void flk_guard_start(void);

/* Takes the guard once no thread is between flk_open_begin() and flk_open_commit(), or after a while. */
void flk_guard_before_fork(void);

/* Makes the guard that of the child, which then holds it.  taken: flk_guard_before_fork() was called for this fork. */
void flk_guard_after_fork(bool taken);

#endif
