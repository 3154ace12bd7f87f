/* SPDX-License-Identifier: MIT
 *
 * test_overlapped.c - waits for LockFileEx as Windows has it: a request that waits in the system, together with a
 * deadline and the caller's object.  The request may be granted at the very moment in which it is taken back.
 *
 * Wine does not complete such requests, and no system can be made to be that unlucky.  So the calls go to a lock
 * manager of the test: the library is linked statically, and what it imports is defined here.
 */
#include "imports.h"
#include "testing.h"
#include "win32.h"

#include <stdint.h>
#include <string.h>
#include <winternl.h>

/* ---- The lock manager ----------------------------------------------------------------------- */

#define STATUS_WAITS ((ULONG_PTR) STATUS_PENDING)
#define STATUS_TAKEN_BACK ((ULONG_PTR) 0xC0000120)
#define STATUS_FAILED ((ULONG_PTR) 0xC000009A) /* STATUS_INSUFFICIENT_RESOURCES */

/* A lock of the only file.  Locks of the same handle exclude each other too. */
struct lock {
    HANDLE handle;
    OVERLAPPED *at; /* NULL: granted */
    int exclusive;
};

#define MOST_LOCKS 32

static struct {
    SRWLOCK mutex;
    struct lock locks[MOST_LOCKS]; /* in the order of the requests */
    int used;
    int calls, waits, cancels;
    int synchronous;      /* files are open for synchronous calls */
    int grants_on_cancel; /* the first holder loses its lock just before a request is taken back */
} manager;

static int is_compatible(const struct lock *lock, int before)
{
    for (int i = 0; i < before; i++)
        if (lock->exclusive || manager.locks[i].exclusive)
            return 0;
    return 1;
}

static void forget(int which)
{
    memmove(&manager.locks[which], &manager.locks[which + 1], (size_t) (--manager.used - which) * sizeof(struct lock));
}

static void complete(OVERLAPPED *at, ULONG_PTR status)
{
    at->Internal = status;
    if (at->hEvent)
        SetEvent(at->hEvent);
}

static void grant(void)
{
    for (int i = 0; i < manager.used; i++)
        if (manager.locks[i].at && is_compatible(&manager.locks[i], i)) {
            complete(manager.locks[i].at, 0);
            manager.locks[i].at = NULL;
        }
}

static BOOL answer(DWORD error)
{
    ReleaseSRWLockExclusive(&manager.mutex);
    SetLastError(error);
    return error == ERROR_SUCCESS;
}

static BOOL WINAPI lock_file(HANDLE handle, DWORD flags, DWORD reserved, DWORD low, DWORD high, OVERLAPPED *at)
{
    struct lock lock = { handle, NULL, (flags & LOCKFILE_EXCLUSIVE_LOCK) != 0 };
    AcquireSRWLockExclusive(&manager.mutex);
    ck_assert(reserved == 0 && low == 1 && high == 0 && at->Offset == 0 && manager.used < MOST_LOCKS);
    manager.calls++;
    if (!is_compatible(&lock, manager.used)) {
        if (flags & LOCKFILE_FAIL_IMMEDIATELY)
            return answer(ERROR_LOCK_VIOLATION);
        manager.waits++;
        at->Internal = STATUS_WAITS;
        ResetEvent(at->hEvent);
        lock.at = at;
    }
    manager.locks[manager.used++] = lock;
    return answer(lock.at ? ERROR_IO_PENDING : ERROR_SUCCESS);
}

static int find(HANDLE handle, const OVERLAPPED *at)
{
    for (int i = 0; i < manager.used; i++)
        if (manager.locks[i].handle == handle && manager.locks[i].at == at)
            return i;
    return -1;
}

static BOOL WINAPI unlock_file(HANDLE handle, DWORD reserved, DWORD low, DWORD high, OVERLAPPED *at)
{
    AcquireSRWLockExclusive(&manager.mutex);
    int found = find(handle, NULL);
    ck_assert(reserved == 0 && low == 1 && high == 0 && at->Offset == 0);
    if (found < 0)
        return answer(ERROR_NOT_LOCKED);
    forget(found);
    grant();
    return answer(ERROR_SUCCESS);
}

static BOOL WINAPI cancel(HANDLE handle, OVERLAPPED *at)
{
    AcquireSRWLockExclusive(&manager.mutex);
    manager.cancels++;
    if (manager.grants_on_cancel) {
        ck_assert(manager.used > 0 && !manager.locks[0].at);
        forget(0);
        grant();
    }
    int found = find(handle, at);
    if (found < 0)
        return answer(ERROR_NOT_FOUND);
    forget(found);
    complete(at, STATUS_TAKEN_BACK);
    grant();
    return answer(ERROR_SUCCESS);
}

static BOOL WINAPI result_of(HANDLE handle, OVERLAPPED *at, DWORD *size, BOOL wait)
{
    (void) handle;
    *size = 0;
    if (at->Internal == STATUS_WAITS && wait)
        WaitForSingleObject(at->hEvent, INFINITE);
    SetLastError(at->Internal == STATUS_TAKEN_BACK ? ERROR_OPERATION_ABORTED
                 : at->Internal == STATUS_WAITS    ? ERROR_IO_INCOMPLETE
                                                   : ERROR_NO_SYSTEM_RESOURCES);
    return at->Internal == 0;
}

/* Answers the only question of the library: in what mode a file is open. */
NTSTATUS NTAPI NtQueryInformationFile(HANDLE handle, IO_STATUS_BLOCK *status, void *information, ULONG size,
                                      FILE_INFORMATION_CLASS class)
{
    (void) handle;
    (void) status;
    ck_assert(size == sizeof(ULONG) && (int) class == 16 /* FileModeInformation */);
    *(ULONG *) information = manager.synchronous ? 0x20 : 0;
    return 0;
}

/* Hides from the library that this is Wine. */
static FARPROC WINAPI address_of(HMODULE module, const char *name)
{
    (void) module;
    ck_assert_str_eq(name, "wine_get_version");
    return NULL;
}

REPLACE(LockFileEx, 24, lock_file);
REPLACE(UnlockFileEx, 20, unlock_file);
REPLACE(CancelIoEx, 8, cancel);
REPLACE(GetOverlappedResult, 16, result_of);
REPLACE(GetProcAddress, 8, address_of);

/* ---- Common to the tests --------------------------------------------------------------------- */

static void set_up(void)
{
    memset(&manager, 0, sizeof manager);
    InitializeSRWLock(&manager.mutex);
}

static void tear_down(void)
{
    ck_assert_msg(manager.used == 0, "%d locks or requests are left", manager.used);
}

static const struct kind *the_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_WIN32)
            return kind_at(i);
    ck_abort_msg("this build has no kind win32");
    return NULL;
}

static struct filelock *a_lock(HANDLE cancelled_by)
{
    struct filelock_options options = options_of(the_kind());
    options.cancel = cancelled_by;
    options.flags = FILELOCK_ANY_THREAD;
    return new_lock_with(&options, scratch("lock"));
}

/* Returns a lock that is held until it is freed. */
static struct filelock *held(void)
{
    struct filelock *lock = a_lock(NULL);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return lock;
}

static int locks(int waiting)
{
    int count = 0;
    AcquireSRWLockShared(&manager.mutex);
    for (int i = 0; i < manager.used; i++)
        count += (manager.locks[i].at != NULL) == waiting;
    ReleaseSRWLockShared(&manager.mutex);
    return count;
}

/* ---- Waits ---------------------------------------------------------------------------------- */

static const int64_t waits[] = { FILELOCK_FOREVER, 3600000 };

/* A wait makes only one request, however long it takes.  Waiters are served in their order. */
START_TEST(test_granted)
{
    struct filelock *lock = held(), *first = a_lock(NULL), *second = a_lock(NULL);
    struct caller callers[2];
    caller_start(&callers[0]);
    caller_start(&callers[1]);
    begin_acquire(&callers[0], first, FILELOCK_EXCLUSIVE, waits[_i]);
    EVENTUALLY(locks(1) == 1);
    begin_acquire(&callers[1], second, FILELOCK_SHARED, waits[_i]);
    EVENTUALLY(locks(1) == 2);
    nap_ms(100);
    ck_assert_int_eq(manager.calls, 1 + 2 + 2);
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&callers[0]), 0);
    ck_assert_int_eq(still_calling(&callers[1]), 1);
    EXPECT(filelock_release(first), 0);
    EXPECT(end_call(&callers[1]), 0);
    EXPECT(filelock_release(second), 0);
    ck_assert_int_eq(manager.calls, 1 + 2 + 2);
    ck_assert_int_eq(manager.cancels, 0);
    caller_end(&callers[0]);
    caller_end(&callers[1]);
    filelock_free(lock);
    filelock_free(first);
    filelock_free(second);
}
END_TEST

START_TEST(test_timeout)
{
    struct filelock *lock = held(), *waiter = a_lock(NULL);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 60), -ETIMEDOUT);
    EXPECT_TOOK(start, 60);
    ck_assert_int_eq(manager.waits, 1);
    ck_assert_int_eq(manager.cancels, 1);
    ck_assert_int_eq(locks(1), 0);
    filelock_free(lock);
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(waiter);
}
END_TEST

START_TEST(test_cancelled)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    struct filelock *lock = held(), *waiter = a_lock(event);
    struct caller caller;
    caller_start(&caller);
    begin_acquire(&caller, waiter, FILELOCK_EXCLUSIVE, waits[_i]);
    EVENTUALLY(locks(1) == 1);
    SetEvent(event);
    EXPECT(end_call(&caller), -ECANCELED);
    ck_assert_int_eq(locks(1), 0);
    caller_end(&caller);
    filelock_free(waiter);
    filelock_free(lock);
    CloseHandle(event);
}
END_TEST

/* If the request is granted after the limit was reached, but before it could be taken back, the caller has the lock. */
START_TEST(test_granted_at_the_last_moment)
{
    HANDLE event = CreateEventW(NULL, TRUE, TRUE, NULL);
    struct filelock *lock = held(), *waiter = a_lock(_i ? event : NULL);
    manager.grants_on_cancel = 1;
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 10), 0);
    ck_assert_int_eq(manager.cancels, 1);
    ck_assert_int_eq(filelock_held(waiter), 1);
    ck_assert_int_eq(locks(0), 1);
    EXPECT(filelock_release(waiter), 0);
    ck_assert_int_eq(locks(0), 0);
    filelock_free(waiter);
    EXPECT(filelock_release(lock), 0); /* although the manager had taken it away */
    filelock_free(lock);
    CloseHandle(event);
}
END_TEST

static void fail_requests(void)
{
    AcquireSRWLockExclusive(&manager.mutex);
    for (int i = manager.used; i-- > 0;)
        if (manager.locks[i].at) {
            complete(manager.locks[i].at, STATUS_FAILED);
            forget(i);
        }
    ReleaseSRWLockExclusive(&manager.mutex);
}

/* If the request was neither granted nor taken back, the acquire returns the system's error. */
START_TEST(test_failed)
{
    struct filelock *lock = held(), *waiter = a_lock(NULL);
    struct caller caller;
    caller_start(&caller);
    begin_acquire(&caller, waiter, FILELOCK_EXCLUSIVE, waits[_i]);
    EVENTUALLY(locks(1) == 1);
    fail_requests();
    EXPECT(end_call(&caller), -ENOMEM);
    ck_assert_int_eq(manager.cancels, 0);
    ck_assert_int_eq(filelock_held(waiter), 0);
    caller_end(&caller);
    filelock_free(waiter);
    filelock_free(lock);
}
END_TEST

/* On a synchronous file a request would not return, so none is made. */
START_TEST(test_synchronous)
{
    struct filelock *lock = held(), *waiter = a_lock(NULL);
    struct caller caller;
    manager.synchronous = 1;
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 30), -ETIMEDOUT);
    caller_start(&caller);
    begin_acquire(&caller, waiter, FILELOCK_EXCLUSIVE, waits[_i]);
    nap_ms(50);
    ck_assert_int_eq(still_calling(&caller), 1);
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&caller), 0);
    ck_assert_int_eq(manager.waits, 0);
    caller_end(&caller);
    filelock_free(waiter);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("overlapped");
    TCase *tcase = add_case(suite, "waits");
    int count = (int) (sizeof waits / sizeof *waits);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, test_granted, 0, count);
    tcase_add_test(tcase, test_timeout);
    tcase_add_loop_test(tcase, test_cancelled, 0, count);
    tcase_add_loop_test(tcase, test_granted_at_the_last_moment, 0, 2);
    tcase_add_loop_test(tcase, test_failed, 0, count);
    tcase_add_loop_test(tcase, test_synchronous, 0, count);
    return suite;
}
