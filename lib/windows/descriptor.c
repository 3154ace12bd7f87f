/* SPDX-License-Identifier: MIT
 *
 * Descriptors of the C library.  Asked for one that is not open, it calls the program's handler of invalid
 * parameters, and ends a program that has none.
 */
#include "config.h"

#include <errno.h>
#include <io.h>
#include <stdlib.h>

#include "platform.h"

typedef _invalid_parameter_handler(__cdecl *handler_setter)(_invalid_parameter_handler handler);

static void __cdecl ignore(const wchar_t *expression, const wchar_t *function, const wchar_t *file,
                           unsigned line, uintptr_t reserved)
{
    (void) expression;
    (void) function;
    (void) file;
    (void) line;
    (void) reserved;
}

/*
 * For the thread alone, as the UCRT has it; else for the process, as the libraries of Visual C++ before it have.
 * NULL: neither, as in msvcrt.dll, which ends no program.  Looked for in the library that is asked.
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

/* Under the guard: what is the process's is put back by whoever has changed it. */
static HANDLE ask(int fd)
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
    number = (intptr_t) ask(fd);
    flk_guard_unlock();
    return number >= 0 ? (int) number : -EBADF; /* -2: a standard stream that is connected to nothing */
}
