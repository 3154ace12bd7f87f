/* SPDX-License-Identifier: MIT
 *
 * Descriptors of the C library.  If it is asked for a descriptor that is not open, it calls the program's handler of
 * invalid parameters.  It ends a program that has no handler.
 */
#include "config.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>

#include "system/file.h"
#include "system/guard.h"

typedef _invalid_parameter_handler(__cdecl *handler_setter)(_invalid_parameter_handler handler);

static void __cdecl ignore(const wchar_t *expression, const wchar_t *function, const wchar_t *file, unsigned line,
                           uintptr_t reserved)
{
    (void) expression;
    (void) function;
    (void) file;
    (void) line;
    (void) reserved;
}

/*
 * Returns the function that sets the handler.  Looks for it in the C library that answers _get_osfhandle().
 *   of the thread   the UCRT has this
 *   of the process  the libraries of Visual C++ before the UCRT have this
 *   NULL            msvcrt.dll has neither, and ends no program
 */
static handler_setter find_setter(void)
{
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    void (*found)(void) = NULL;
    HMODULE library;

    if (GetModuleHandleExW(flags, (const wchar_t *) (uintptr_t) &_get_osfhandle, &library)) {
        found = (void (*)(void)) GetProcAddress(library, "_set_thread_local_invalid_parameter_handler");
        if (found == NULL)
            found = (void (*)(void)) GetProcAddress(library, "_set_invalid_parameter_handler");
    }
    return (handler_setter) found;
}

/*
 * Returns the handle of the descriptor; negative if there is none.  Caller holds the guard: where the handler is that
 * of the process, a thread puts it back before another thread changes it.
 */
static HANDLE query_handle(int fd)
{
    handler_setter set = find_setter();
    _invalid_parameter_handler before = set != NULL ? set(ignore) : NULL;
    HANDLE handle = (HANDLE) _get_osfhandle(fd);

    if (set != NULL)
        (void) set(before);
    return handle;
}

int flk_file_of_descriptor(int fd)
{
    intptr_t number;

    if (fd < 0)
        return -EBADF;
    flk_guard_lock();
    number = (intptr_t) query_handle(fd);
    flk_guard_unlock();
    return number >= 0 ? (int) number : -EBADF; /* -2: a standard stream without a file */
}
