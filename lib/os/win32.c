/* SPDX-License-Identifier: MIT
 *
 * LockFileEx: byte ranges, owned by the handle and its process.  Locks of the same handle do not merge, but stack or
 * exclude each other; here a handle has more than a single lock only while it converts.  Locks are mandatory: no other
 * handle can read bytes that are locked exclusively, or write bytes that are locked in any mode.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "os/overlapped.h"
#include "outcome.h"
#include "system/error_windows.h"
#include "system/file.h"
#include "system/file_windows.h"
#include "wait/await.h"
#include "wait/limits.h"
#include "wait/objects.h"

/* The end of the longest lock.  A file can be longer by a single byte, which no process will lock. */
#define MAX_LENGTH INT64_MAX

static int64_t length_of(const struct range *range)
{
    return range->length != 0 ? range->length : MAX_LENGTH - range->start;
}

static OVERLAPPED offset_of(const struct range *range)
{
    return (OVERLAPPED) { .Offset = (DWORD) range->start, .OffsetHigh = (DWORD) (range->start >> 32) };
}

/* Returns as LockFileEx() does.  ERROR_IO_PENDING: the request goes on, and `at` has to stay until it ends. */
static bool lock(const struct lock_request *request, DWORD flags, OVERLAPPED *at)
{
    int64_t length = length_of(&request->range);

    if (request->mode == FILELOCK_EXCLUSIVE)
        flags |= LOCKFILE_EXCLUSIVE_LOCK;
    return LockFileEx(flk_handle(request->fd), flags, 0, (DWORD) length, (DWORD) (length >> 32), at) != 0;
}

static int outcome_of(bool locked)
{
    if (locked)
        return 0;
    return GetLastError() == ERROR_LOCK_VIOLATION ? CONTENDED : flk_last_error();
}

static enum outcome try_request(void *arg)
{
    const struct lock_request *request = arg;
    OVERLAPPED at = offset_of(&request->range);
    bool locked = lock(request, LOCKFILE_FAIL_IMMEDIATELY, &at);
    DWORD none;

    if (!locked && GetLastError() == ERROR_IO_PENDING)
        locked = GetOverlappedResult(flk_handle(request->fd), &at, &none, TRUE) != 0;
    return outcome_of(locked);
}

static enum outcome try_win32(int fd, const struct range *range, enum filelock_mode mode)
{
    struct lock_request request = { .fd = fd, .range = *range, .mode = mode };

    return try_request(&request);
}

/*
 * Waits for a pending request within limits.  At the end it is either granted or taken back, and only the system knows
 * which: if the lock was granted at the last moment, returns 0.
 */
static int await_request(const struct lock_request *request, OVERLAPPED *at, const struct limits *limits)
{
    HANDLE handle = flk_handle(request->fd);
    int rc = flk_wait_within(&at->hEvent, 1, limits, FLK_NEVER);
    DWORD none;

    if (rc < 0)
        (void) CancelIoEx(handle, at);
    if (GetOverlappedResult(handle, at, &none, TRUE))
        return 0;
    return rc < 0 && GetLastError() == ERROR_OPERATION_ABORTED ? rc : outcome_of(false);
}

static enum outcome wait_win32(const struct lock_request *request, const struct limits *limits)
{
    OVERLAPPED at = offset_of(&request->range);
    int rc;

    if (flk_overlapped_completes(request->fd))
        at.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (at.hEvent == NULL)
        return NO_MEANS;
    if (lock(request, 0, &at))
        rc = 0;
    else
        rc = GetLastError() == ERROR_IO_PENDING ? await_request(request, &at, limits) : outcome_of(false);
    (void) CloseHandle(at.hEvent);
    return rc == CONTENDED ? -EAGAIN : rc; /* no system returns CONTENDED if it was asked to wait */
}

static int await_win32(const struct lock_request *request, filelock_waitable stop)
{
    struct limits limits = { .deadline = FLK_NEVER, .cancel = stop };
    struct lock_request tried = *request;
    enum outcome rc = wait_win32(request, &limits);

    return rc == NO_MEANS ? flk_retry(try_request, &tried, &limits) : rc;
}

/* Takes ERROR_LOCK_VIOLATION for success: Wine returns it for bytes that are not locked. */
static int unlock_win32(int fd, const struct range *range)
{
    OVERLAPPED at = offset_of(range);
    int64_t length = length_of(range);

    if (UnlockFileEx(flk_handle(fd), 0, (DWORD) length, (DWORD) (length >> 32), &at) ||
        GetLastError() == ERROR_NOT_LOCKED || GetLastError() == ERROR_LOCK_VIOLATION)
        return 0;
    return flk_last_error();
}

/*
 * Converts down only: a handle may have a shared lock over its exclusive lock, and then the next unlock ends the
 * exclusive lock (UnlockFileEx).
 */
static enum outcome convert_win32(int fd, const struct range *range, enum filelock_mode mode)
{
    int rc = try_win32(fd, range, mode);

    return rc != 0 ? rc : unlock_win32(fd, range);
}

const struct os_kind flk_kind_win32 = {
    .kind = {
        .id = FILELOCK_KIND_WIN32,
        .name = "win32",
        .abilities = CAN_SHARE | CAN_RANGE | CAN_LOCK_DESCRIPTOR | CAN_CONVERT_DOWN,
        .default_range_length = 1,
        OS_LOCK_OPERATIONS,
    },
    .backend = {
        .access_counts = false,
        .try = try_win32,
        .wait = wait_win32,
        .block = await_win32,
        .convert = convert_win32,
        .unlock = unlock_win32,
    },
};
