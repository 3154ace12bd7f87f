/* SPDX-License-Identifier: MIT
 *
 * Threads and mutexes of Windows, and the start of the library in a process.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "platform.h"

void flk_mutex_init(struct mutex *mutex)
{
    InitializeSRWLock(&mutex->native);
}

void flk_mutex_destroy(struct mutex *mutex)
{
    (void) mutex;
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

/* No thread is cancelled here. */
int flk_thread_shield(void)
{
    return 0;
}

void flk_thread_unshield(int before)
{
    (void) before;
}

/* ---- The guard ------------------------------------------------------------------------------ */

static struct mutex guard = MUTEX_INIT;

void flk_guard_lock(void)
{
    flk_mutex_lock(&guard);
}

void flk_guard_unlock(void)
{
    flk_mutex_unlock(&guard);
}

/* Nothing forks here, and a handle is not inherited unless that is asked for. */
unsigned flk_opening(void)
{
    return 0;
}

bool flk_opened(unsigned epoch)
{
    (void) epoch;
    flk_guard_lock();
    return true;
}

/* ---- The end of threads --------------------------------------------------------------------- */

static DWORD end_index;
static const struct platform_events *tell;

/* What is watched is the thread's number.  It is also called when a fiber is deleted, by whichever thread does that. */
static void CALLBACK ended(void *watched)
{
    if ((uintptr_t) watched == GetCurrentThreadId() && !IsThreadAFiber())
        tell->thread_ended();
}

void flk_thread_watch_end(void)
{
    if (FlsGetValue(end_index) == NULL)
        (void) FlsSetValue(end_index, (void *) (uintptr_t) GetCurrentThreadId());
}

static void process_ends(void)
{
    tell->process_ends();
}

/* ---- The start ------------------------------------------------------------------------------ */

/* The end of threads calls into the library: it must not be unloaded before them. */
static bool stay_loaded(void)
{
    HMODULE module;

    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              (const wchar_t *) (const void *) &end_index, &module) != 0;
}

static int start(void)
{
    DWORD index = FlsAlloc(ended);

    if (index == FLS_OUT_OF_INDEXES)
        return -EAGAIN;
    if (!stay_loaded() || atexit(process_ends) != 0) {
        (void) FlsFree(index);
        return -ENOMEM;
    }
    end_index = index;
    return 0;
}

int flk_platform_start(const struct platform_events *events)
{
    int rc = 0;

    flk_guard_lock();
    if (tell == NULL && (rc = start()) == 0)
        tell = events;
    flk_guard_unlock();
    return rc;
}
