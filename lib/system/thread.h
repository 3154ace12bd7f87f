/* SPDX-License-Identifier: MIT
 *
 * Threads, mutexes, and the signals of a thread.
 */
#ifndef FLK_THREAD_H
#define FLK_THREAD_H

#include <stdbool.h>

#include "system_types.h"

/* Initializes a mutex, as MUTEX_INIT does. */
void flk_mutex_init(struct mutex *mutex);
void flk_mutex_lock(struct mutex *mutex);
void flk_mutex_unlock(struct mutex *mutex);

thread_id flk_thread_self(void);
bool flk_thread_equal(thread_id a, thread_id b);

/* Keeps the calling thread from being cancelled inside the library.  Returns the state for flk_cancel_restore(). */
int flk_cancel_disable(void);
void flk_cancel_restore(int before);

/*
 * Holds back the signals of the calling thread until flk_signals_let().  A handler runs in a wait whose limits have
 * *before, and so ends that wait; or it runs after flk_signals_let().  So a signal that arrives on the way to the wait
 * still ends the wait.  Faults, which are signals that a thread causes itself, are not held back.
 */
void flk_signals_hold(struct signals *before);
void flk_signals_let(const struct signals *before);

#endif
