/* SPDX-License-Identifier: MIT
 *
 * Threads that end, and the end of the process, on Windows.
 */
#include "config.h"

#include <errno.h>
#include <windows.h>

#include "system/lifetime.h"

/* ---- The end of threads --------------------------------------------------------------------- */

static DWORD end_index;

/*
 * Tells the subscribers that the calling thread ends.  watched: the number of the watched thread.  Windows also calls
 * this when a fiber is deleted, in the thread that deletes it; that is no end of a thread.
 */
static void CALLBACK tell_thread_ended(void *watched)
{
    if ((uintptr_t) watched == GetCurrentThreadId() && !IsThreadAFiber())
        flk_tell_thread_ended();
}

void flk_thread_watch_end(void)
{
    if (FlsGetValue(end_index) == NULL)
        (void) FlsSetValue(end_index, (void *) (uintptr_t) GetCurrentThreadId());
}

/* ---- The start ------------------------------------------------------------------------------ */

/* Keeps the library loaded until the process ends, since each thread that ends calls into it. */
static bool pin_library(void)
{
    HMODULE module;

    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                              (const wchar_t *) (const void *) &end_index, &module) != 0;
}

int flk_lifetime_register(int (*watch_end)(void))
{
    DWORD index = FlsAlloc(tell_thread_ended);

    if (index == FLS_OUT_OF_INDEXES)
        return -EAGAIN;
    if (!pin_library() || (watch_end != NULL && watch_end() != 0)) {
        (void) FlsFree(index);
        return -ENOMEM;
    }
    end_index = index;
    return 0;
}

/* Takes nothing back: the library stays loaded until the process ends. */
void flk_lifetime_unregister(void)
{
}
