/* SPDX-License-Identifier: MIT
 *
 * Threads and mutexes of Windows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "system/thread.h"

void flk_mutex_init(struct mutex *mutex)
{
    InitializeSRWLock(&mutex->native);
}

void flk_mutex_lock(struct mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->native);
}

void flk_mutex_unlock(struct mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->native);
}

thread_id flk_thread_self(void)
{
    return GetCurrentThreadId();
}

bool flk_thread_equal(thread_id a, thread_id b)
{
    return a == b;
}

/* Does nothing: Windows does not cancel threads. */
int flk_cancel_disable(void)
{
    return 0;
}

void flk_cancel_restore(int before)
{
    (void) before;
}

/* Does nothing: an APC, the nearest thing to a signal, runs only in a wait. */
void flk_signals_hold(struct signals *before)
{
    (void) before;
}

void flk_signals_let(const struct signals *before)
{
    (void) before;
}
