/* SPDX-License-Identifier: MIT
 *
 * test_answers.c - answers that Windows gives and Wine does not.
 * Calls of the library go to functions of this test.  They answer as Windows would, and leave the rest to the system.
 */
#include "imports.h"
#include "markers.h"
#include "testing.h"
#include "win32.h"

#include <io.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

NTSYSAPI NTSTATUS NTAPI LdrGetProcedureAddress(HMODULE module, ANSI_STRING *name, ULONG number, void **address);

typedef void (*function)(void);

/* Returns the system's own function. */
static function real_address(HMODULE module, const char *name)
{
    ANSI_STRING text;
    void *address = NULL;
    RtlInitAnsiString(&text, name);
    LdrGetProcedureAddress(module, &text, 0, &address);
    return (function) (uintptr_t) address;
}

/* Returns a function of the library that contains the function `other`. */
static function real_beside(uintptr_t other, const char *name)
{
    const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    HMODULE module;
    ck_assert(GetModuleHandleExW(flags, (const WCHAR *) other, &module));
    return real_address(module, name);
}

static function real_kernel(const char *name)
{
    return real_address(GetModuleHandleW(L"kernel32.dll"), name);
}

#define REAL(name) ((__typeof__(&name)) real_kernel(#name))

/* ---- A C library that does not bear bad descriptors ------------------------------------------ */

static _invalid_parameter_handler handlers[2]; /* of the process, of the thread */
static int offered;                            /* how many of these two can be set */
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
    function real = real_beside((uintptr_t) &_close, "_get_osfhandle");
    intptr_t handle = ((intptr_t(__cdecl *)(int)) real)(fd);
    if (handle == -1)
        invalid_parameter();
    return handle;
}

REPLACE_C(_get_osfhandle, handle_of);

static int hides_wine; /* makes the library believe what it sees of locks */

static FARPROC WINAPI address_of(HMODULE module, const char *name)
{
    int of_thread = !strcmp(name, "_set_thread_local_invalid_parameter_handler");
    if (hides_wine && !strcmp(name, "wine_get_version"))
        return NULL;
    if (!of_thread && strcmp(name, "_set_invalid_parameter_handler") != 0)
        return (FARPROC) real_address(module, name);
    ck_assert(module == GetModuleHandleW(NULL)); /* the module that has _get_osfhandle() */
    if (offered <= of_thread)
        return NULL;
    return of_thread ? (FARPROC) (function) set_of_thread : (FARPROC) (function) set_of_process;
}

REPLACE(GetProcAddress, 8, address_of);

static void __cdecl note(const wchar_t *expression, const wchar_t *where, const wchar_t *file, unsigned line,
                         uintptr_t reserved)
{
    (void) expression;
    (void) where;
    (void) file;
    (void) line;
    (void) reserved;
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
    ck_assert_int_eq(called, offered == 0); /* where no handler can be set, the program's stays, and is called */
    handlers[0] = NULL;
    close_fd(fd);
    EXPECT(filelock_new_from_fd(&lock, fd, NULL), -EBADF);
    ck_assert_ptr_null(lock);
    ck_assert_int_eq(ended, 0);
}
END_TEST

/* ---- Paths ---------------------------------------------------------------------------------- */

static DWORD refusal; /* the error that opening a file on a share fails with; 0: none */

/* True if Windows finds the path too long. */
static int too_long(const WCHAR *path, size_t most)
{
    if (wcslen(path) < most || !wcsncmp(path, L"\\\\?\\", 4))
        return 0;
    SetLastError(ERROR_PATH_NOT_FOUND);
    return 1;
}

static int helped; /* another process deletes a file just before the library opens it for deletion */

static DWORD pid; /* what the library is told of its own pid; 0: the truth */

static DWORD WINAPI process_id(void)
{
    return pid ? pid : REAL(GetCurrentProcessId)();
}

static HANDLE WINAPI create_file(const WCHAR *path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security,
                                 DWORD disposition, DWORD flags, HANDLE template)
{
    if (too_long(path, MAX_PATH))
        return INVALID_HANDLE_VALUE;
    if (refusal && !wcsncmp(path, L"\\\\host\\", 7)) {
        SetLastError(refusal);
        return INVALID_HANDLE_VALUE;
    }
    if (helped && access & DELETE)
        REAL(DeleteFileW)(path);
    return REAL(CreateFileW)(path, access, share, security, disposition, flags, template);
}

static WINBOOL WINAPI create_directory(const WCHAR *path, SECURITY_ATTRIBUTES *security)
{
    return !too_long(path, MAX_PATH - 12) && REAL(CreateDirectoryW)(path, security);
}

static HANDLE WINAPI find_first(const WCHAR *path, WIN32_FIND_DATAW *found)
{
    return too_long(path, MAX_PATH) ? INVALID_HANDLE_VALUE : REAL(FindFirstFileW)(path, found);
}

static WINBOOL WINAPI set_information(HANDLE file, FILE_INFO_BY_HANDLE_CLASS class, void *info, DWORD size)
{
    if (class == FileRenameInfo && too_long(((FILE_RENAME_INFO *) info)->FileName, MAX_PATH))
        return FALSE;
    return REAL(SetFileInformationByHandle)(file, class, info, size);
}

REPLACE(GetCurrentProcessId, 0, process_id);
REPLACE(CreateFileW, 28, create_file);
REPLACE(CreateDirectoryW, 8, create_directory);
REPLACE(FindFirstFileW, 8, find_first);
REPLACE(SetFileInformationByHandle, 16, set_information);

/* What is appended to a name, to move a file aside, counts towards the length too. */
START_TEST(test_too_long_for_windows)
{
    char path[MAX_PATH + 64];
    size_t length = strlen(scratch(""));
    ck_assert_uint_lt(length, 200);
    pid = 2147483644; /* has as many digits as a pid can have */
    for (size_t all = 200; all < MAX_PATH + 8; all += 3) {
        snprintf(path, sizeof path, "%s%0*d", scratch(""), (int) (all - length), 0);
        struct filelock *lock = new_soft(path, FILELOCK_ANY_THREAD), *other = new_soft(path, FILELOCK_ANY_THREAD);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_break(other), 0);
        EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        filelock_free(other);
        filelock_free(lock);
        expect_nothing_at(path);
    }
    pid = 0;
}
END_TEST

START_TEST(test_made_too_long_for_windows)
{
    const char *const before[] = { "", "//./", "//?/" };
    char name[512] = "", path[1024];
    for (int depth = 0; depth < 30; depth++)
        snprintf(name + strlen(name), sizeof name - strlen(name), "%010d/", depth);
    strcat(name, "lock");
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", before[i], scratch(name));
        struct filelock *lock = new_lock(kind_at(_i), path, FILELOCK_MAKE_PARENTS);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        filelock_free(lock);
    }
}
END_TEST

static const struct {
    DWORD error;
    int result;
} refusals[] = {
    { ERROR_BAD_NETPATH, -EHOSTUNREACH },
    { ERROR_REM_NOT_LIST, -EHOSTUNREACH },
    { ERROR_NETWORK_UNREACHABLE, -EHOSTUNREACH },
    { ERROR_HOST_UNREACHABLE, -EHOSTUNREACH },
    { ERROR_BAD_NET_NAME, -ENOENT },
    { ERROR_LOGON_FAILURE, -EACCES },
    { ERROR_SESSION_CREDENTIAL_CONFLICT, -EACCES },
    { ERROR_ACCESS_DENIED, -EACCES },
    { ERROR_UNEXP_NET_ERR, -EIO },
};

/* If a share cannot be reached, the result says so, and the description uses words that are known. */
START_TEST(test_share_refused)
{
    const char path[] = "//host/share/lock";
    char text[256], wanted[256];
    struct filelock *lock = new_lock(kind_at(_i), path, FILELOCK_MAKE_PARENTS);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        refusal = refusals[i].error;
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), refusals[i].result);
        filelock_describe(lock, refusals[i].result, text, sizeof text);
        snprintf(wanted, sizeof wanted, "cannot acquire %s: ", path);
        ck_assert_msg(!strncmp(text, wanted, strlen(wanted)), "%s", text);
        ck_assert_msg(!strstr(text, "nknown"), "%s", text);
    }
    refusal = 0;
    filelock_free(lock);
}
END_TEST

/* ---- Another breaker ------------------------------------------------------------------------ */

START_TEST(test_break_is_helped)
{
    struct filelock *lock = new_soft(scratch("lock"), 0);
    for (helped = 0; helped < 2; helped++) {
        EXPECT(filelock_break(lock), -ENOENT);
        put_marker(scratch("lock"), marker_record(own_pid()));
        EXPECT(filelock_break(lock), 0);
        expect_nothing_at(scratch("lock"));
    }
    helped = 0;
    filelock_free(lock);
}
END_TEST

/* ---- Locks that are mandatory --------------------------------------------------------------- */

#define MOST_LOCKS 16

static struct {
    HANDLE file; /* NULL: this entry is free */
    uint64_t start, length;
    int exclusive;
} held[MOST_LOCKS];

static uint64_t start_of(const OVERLAPPED *at)
{
    return (uint64_t) at->OffsetHigh << 32 | at->Offset;
}

static BOOL WINAPI lock_file(HANDLE file, DWORD flags, DWORD reserved, DWORD low, DWORD high, OVERLAPPED *at)
{
    int slot = 0;
    if (!REAL(LockFileEx)(file, flags, reserved, low, high, at))
        return FALSE;
    while (held[slot].file)
        ck_assert_int_lt(++slot, MOST_LOCKS);
    held[slot].file = file;
    held[slot].start = start_of(at);
    held[slot].length = (uint64_t) high << 32 | low;
    held[slot].exclusive = (flags & LOCKFILE_EXCLUSIVE_LOCK) != 0;
    return TRUE;
}

static BOOL WINAPI unlock_file(HANDLE file, DWORD reserved, DWORD low, DWORD high, OVERLAPPED *at)
{
    for (int i = 0; i < MOST_LOCKS; i++)
        if (held[i].file == file && held[i].start == start_of(at))
            held[i].file = NULL;
    return REAL(UnlockFileEx)(file, reserved, low, high, at);
}

/*
 * True if a lock through another handle keeps this handle from reading or writing these bytes.  All handles are of one
 * file.
 */
static int is_denied(HANDLE file, const OVERLAPPED *at, DWORD size, int writing)
{
    for (int i = 0; at && i < MOST_LOCKS; i++)
        if (held[i].file && held[i].file != file && (writing || held[i].exclusive) &&
            start_of(at) < held[i].start + held[i].length && held[i].start < start_of(at) + size) {
            SetLastError(ERROR_LOCK_VIOLATION);
            return 1;
        }
    return 0;
}

static BOOL WINAPI read_bytes(HANDLE file, void *bytes, DWORD size, DWORD *length, OVERLAPPED *at)
{
    return !is_denied(file, at, size, 0) && REAL(ReadFile)(file, bytes, size, length, at);
}

static BOOL WINAPI write_bytes(HANDLE file, const void *bytes, DWORD size, DWORD *length, OVERLAPPED *at)
{
    return !is_denied(file, at, size, 1) && REAL(WriteFile)(file, bytes, size, length, at);
}

REPLACE(LockFileEx, 24, lock_file);
REPLACE(UnlockFileEx, 20, unlock_file);
REPLACE(ReadFile, 20, read_bytes);
REPLACE(WriteFile, 20, write_bytes);

static const struct kind *os_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_WIN32)
            return kind_at(i);
    ck_abort_msg("this build has no kind win32");
    return NULL;
}

static struct filelock *lock_of_range(int64_t start, int64_t length, unsigned flags)
{
    struct filelock_options options = options_of(os_kind());
    options.range_start = start;
    options.range_length = length;
    options.flags = FILELOCK_ANY_THREAD | flags;
    return new_lock_with(&options, scratch("lock"));
}

/*
 * Fails the test unless filelock_owner() returns this result, and tells this pid if the result is 0.
 * The pid 0 stands for an owner that is not known.
 */
static void expect_owner(const struct filelock *lock, int result, int64_t wanted)
{
    struct filelock_owner owner = { .size = sizeof owner };
    EXPECT(filelock_owner(lock, &owner), result);
    if (result == 0)
        ck_assert_int_eq(owner.pid, wanted);
}

static void hide_wine(void)
{
    hides_wine = 1;
    memset(held, 0, sizeof held);
}

static void show_wine(void)
{
    hides_wine = 0;
    memset(held, 0, sizeof held);
}

static const struct {
    int64_t start, length;
    int readable; /* the range leaves room for a record */
} ranges[] = {
    { 0, 0, 1 },       { 0, 100, 1 },      { 1, 1, 1 },           { 5, 0, 1 },
    { 10, 5, 1 },      { 1000, 2000, 1 },  { 0, 60000, 1 },       { 65535, 1, 1 },
    { 65536, 1, 1 },   { 70000, 4, 1 },    { 1LL << 40, 100, 1 }, { 2000, 1 << 20, 1 },
    { 0, 1 << 20, 0 }, { 40, 1 << 20, 0 }, { 0, INT64_MAX, 0 },   { 1, INT64_MAX - 1, 0 },
};

/* A caller that asks about a range is told its owner, and nothing about owners of other bytes. */
START_TEST(test_owner_of_range)
{
    int64_t start = ranges[_i].start, length = ranges[_i].length, all = length ? length : 1;
    struct filelock *lock = lock_of_range(start, length, FILELOCK_RECORD_OWNER);
    struct filelock *same = lock_of_range(start, length, 0), *plain = lock_of_range(start, length, 0);
    struct filelock *beside = all < INT64_MAX - start ? lock_of_range(start + all, 1, 0) : NULL;
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_owner(same, 0, ranges[_i].readable ? own_pid() : 0);
    expect_owner(lock, 0, ranges[_i].readable ? own_pid() : 0);
    if (beside)
        expect_owner(beside, -ENOTSUP, 0);
    EXPECT(filelock_release(lock), 0);
    expect_owner(same, -ENOTSUP, 0);
    EXPECT(filelock_acquire(plain, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_owner(same, 0, 0); /* an owner that has written no record */
    EXPECT(filelock_release(plain), 0);
    EXPECT(filelock_acquire(plain, FILELOCK_SHARED, FILELOCK_TRY), 0);
    expect_owner(same, -ENOTSUP, 0);
    expect_contents(scratch("lock"), "");
    filelock_free(plain);
    filelock_free(beside);
    filelock_free(same);
    filelock_free(lock);
}
END_TEST

/* A lock can be acquired even if another lock, of other bytes, keeps the record of its owner from being written. */
START_TEST(test_record_in_the_way)
{
    struct filelock *other = lock_of_range(10, 100, 0), *lock = lock_of_range(0, 0, FILELOCK_RECORD_OWNER);
    for (int shared = 0; shared < 2; shared++) {
        EXPECT(filelock_acquire(other, shared ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_owner(lock, 0, 0);
        EXPECT(filelock_release(lock), 0);
        EXPECT(filelock_release(other), 0);
    }
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_owner(lock, 0, own_pid());
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/* A descriptor can read what is locked through itself. */
START_TEST(test_owner_by_descriptor)
{
    int fd = open_fd(scratch("lock"));
    struct filelock_options options = options_of(os_kind());
    struct filelock *lock, *other = lock_of_range(0, 0, 0);
    options.flags = FILELOCK_RECORD_OWNER;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_owner(lock, 0, own_pid());
    expect_owner(other, 0, own_pid());
    EXPECT(filelock_release(lock), 0);
    expect_owner(lock, -ENOTSUP, 0);
    filelock_free(other);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("answers");
    TCase *tcase = add_case(suite, "descriptors");
    tcase_add_loop_test(tcase, test_bad_descriptor, 0, 3);
    tcase = add_case(suite, "paths");
    tcase_add_test(tcase, test_too_long_for_windows);
    ADD_FOR_KINDS(tcase, test_made_too_long_for_windows);
    ADD_FOR_KINDS(tcase, test_share_refused);
    tcase = add_case(suite, "breaking");
    tcase_add_test(tcase, test_break_is_helped);
    tcase = add_case(suite, "mandatory locks");
    tcase_add_checked_fixture(tcase, hide_wine, show_wine);
    tcase_add_loop_test(tcase, test_owner_of_range, 0, (int) (sizeof ranges / sizeof *ranges));
    tcase_add_test(tcase, test_record_in_the_way);
    tcase_add_test(tcase, test_owner_by_descriptor);
    return suite;
}
