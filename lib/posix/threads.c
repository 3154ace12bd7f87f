/* SPDX-License-Identifier: MIT
 *
 * Threads and mutexes of POSIX, and the start of the library in a process.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "platform.h"
#include "posix/fork.h"

void flk_mutex_init(struct mutex *mutex)
{
    (void) pthread_mutex_init(&mutex->native, NULL);
}

void flk_mutex_destroy(struct mutex *mutex)
{
    (void) pthread_mutex_destroy(&mutex->native);
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

int flk_thread_shield(void)
{
    int before;

    (void) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void flk_thread_unshield(int before)
{
    (void) pthread_setcancelstate(before, &before);
}

/* ---- The end of threads --------------------------------------------------------------------- */

static pthread_key_t end_key;
static const struct platform_events *tell;

static void ended(void *unused)
{
    (void) unused;
    tell->thread_ended();
}

void flk_thread_watch_end(void)
{
    if (pthread_getspecific(end_key) == NULL)
        (void) pthread_setspecific(end_key, &end_key);
}

static void process_ends(void)
{
    tell->process_ends();
}

/* ---- The start ------------------------------------------------------------------------------ */

/* What is registered last needs no taking back; atexit's would do no harm twice. */
static int start(const struct platform_events *events)
{
    int error = pthread_key_create(&end_key, ended);

    if (error != 0)
        return error;
    error = atexit(process_ends) != 0 ? ENOMEM : flk_fork_handlers(events);
    if (error != 0)
        (void) pthread_key_delete(end_key);
    return error;
}

int flk_platform_start(const struct platform_events *events)
{
    int error = 0;

    /* Not pthread_once(3): for want of memory it may fail, and succeed the next time. */
    flk_guard_lock();
    if (tell == NULL && (error = start(events)) == 0)
        tell = events;
    flk_guard_unlock();
    return -error;
}
