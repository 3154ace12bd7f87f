/* SPDX-License-Identifier: MIT
 *
 * Threads and mutexes of POSIX.
 */
#include "config.h"

#include "system/thread.h"

void flk_mutex_init(struct mutex *mutex)
{
    (void) pthread_mutex_init(&mutex->native, NULL);
}

void flk_mutex_lock(struct mutex *mutex)
{
    (void) pthread_mutex_lock(&mutex->native);
}

void flk_mutex_unlock(struct mutex *mutex)
{
    (void) pthread_mutex_unlock(&mutex->native);
}

thread_id flk_thread_self(void)
{
    return pthread_self();
}

bool flk_thread_equal(thread_id a, thread_id b)
{
    return pthread_equal(a, b) != 0;
}

int flk_cancel_disable(void)
{
    int before;

    (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void flk_cancel_restore(int before)
{
    (void) pthread_setcancelstate(before, &before);
}
