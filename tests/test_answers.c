/* SPDX-License-Identifier: MIT
 *
 * test_answers.c - what Windows answers and Wine does not: calls of the library go to functions of the test's own,
 * which answer as Windows would and leave the rest to the system.
 */
#include "imports.h"
#include "testing.h"
#include "win32.h"

#include <io.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

NTSYSAPI NTSTATUS NTAPI LdrGetProcedureAddress(HMODULE module, ANSI_STRING *name, ULONG number, void **address);

typedef void (*function)(void);

/* The system's own. */
static function real_address(HMODULE module, const char *name)
{
    ANSI_STRING text;
    void *address = NULL;
    RtlInitAnsiString(&text, name);
    LdrGetProcedureAddress(module, &text, 0, &address);
    return (function)(uintptr_t)address;
}

/* That of the library that `other`, another function of it, is in. */
static function real_beside(uintptr_t other, const char *name)
{
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE module;
    ck_assert(GetModuleHandleExW(flags, (const WCHAR *)other, &module));
    return real_address(module, name);
}

/* ---- A C library that does not bear bad descriptors ------------------------------------------ */

static _invalid_parameter_handler handlers[2]; /* the process's, the thread's */
static int offered;                            /* how many of them there are */
static int called, ended;

static _invalid_parameter_handler set_handler(int which, _invalid_parameter_handler handler)
{
    _invalid_parameter_handler before = handlers[which];
    handlers[which] = handler;
    return before;
}

static _invalid_parameter_handler __cdecl set_of_process(_invalid_parameter_handler handler)
{
    return set_handler(0, handler);
}

static _invalid_parameter_handler __cdecl set_of_thread(_invalid_parameter_handler handler)
{
    return set_handler(1, handler);
}

static void invalid_parameter(void)
{
    _invalid_parameter_handler handler = handlers[1] ? handlers[1] : handlers[0];
    if (handler)
        handler(NULL, NULL, NULL, 0, 0);
    else
        ended += offered > 0;
}

static intptr_t __cdecl handle_of(int fd)
{
    intptr_t(__cdecl * real)(int) = (intptr_t(__cdecl *)(int))real_beside((uintptr_t)&_close, "_get_osfhandle");
    intptr_t handle = real(fd);
    if (handle == -1)
        invalid_parameter();
    return handle;
}

REPLACE_C(_get_osfhandle, handle_of);

static FARPROC WINAPI address_of(HMODULE module, const char *name)
{
    int of_thread = !strcmp(name, "_set_thread_local_invalid_parameter_handler");
    if (!of_thread && strcmp(name, "_set_invalid_parameter_handler") != 0)
        return (FARPROC)real_address(module, name);
    ck_assert(module == GetModuleHandleW(NULL)); /* which has _get_osfhandle() */
    if (offered <= of_thread)
        return NULL;
    return of_thread ? (FARPROC)(function)set_of_thread : (FARPROC)(function)set_of_process;
}

REPLACE(GetProcAddress, 8, address_of);

static void __cdecl note(const wchar_t *expression, const wchar_t *where, const wchar_t *file, unsigned line,
                         uintptr_t reserved)
{
    (void)expression;
    (void)where;
    (void)file;
    (void)line;
    (void)reserved;
    called++;
}

/* A descriptor that is not open ends no program, calls no handler that a program has set, and changes none. */
START_TEST(test_bad_descriptor)
{
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock"));
    offered = _i;
    called = ended = 0;
    for (int with_handler = 0; with_handler < 2; with_handler++) {
        _invalid_parameter_handler wanted = with_handler ? note : NULL;
        handlers[0] = wanted;
        handlers[1] = NULL;
        EXPECT(filelock_new_from_fd(&lock, 9999, NULL), -EBADF);
        EXPECT(filelock_new_from_fd(&lock, -7, NULL), -EBADF);
        EXPECT(filelock_new_from_fd(&lock, fd, NULL), 0);
        filelock_free(lock);
        lock = NULL;
        ck_assert(handlers[0] == wanted && handlers[1] == NULL);
    }
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(called, offered == 0); /* where it cannot be set, it stays */
    handlers[0] = NULL;
    close_fd(fd);
    EXPECT(filelock_new_from_fd(&lock, fd, NULL), -EBADF);
    ck_assert_ptr_null(lock);
    ck_assert_int_eq(ended, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("answers");
    TCase *tcase = add_case(suite, "descriptors");
    tcase_add_loop_test(tcase, test_bad_descriptor, 0, 3);
    return suite;
}
