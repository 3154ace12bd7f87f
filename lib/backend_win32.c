/* SPDX-License-Identifier: MIT
 *
 * LockFileEx: byte ranges, owned by the handle and its process.  Locks of one handle do not merge but stack, or
 * exclude each other: a handle never has more than one here.  They are mandatory: nobody else can read what is
 * locked exclusively, nor write what is locked at all.
 */
#include "config.h"

#include <errno.h>

#include "backend.h"
#include "os_lock.h"
#include "retry.h"
#include "windows/error.h"
#include "windows/file.h"
#include "windows/overlapped.h"
#include "windows/wakeup.h"

/* A file can be longer than this by one byte, which nobody will lock. */
#define LENGTH_MOST INT64_MAX

struct request {
    int fd;
    const struct range *range;
    enum filelock_mode mode;
};

static int64_t length_of(const struct range *range)
{
    return range->length != 0 ? range->length : LENGTH_MOST - range->start;
}

static OVERLAPPED offset_of(const struct range *range)
{
    return (OVERLAPPED) { .Offset = (DWORD) range->start, .OffsetHigh = (DWORD) (range->start >> 32) };
}

/* As LockFileEx() itself; ERROR_IO_PENDING: it goes on, and at is to stay. */
static bool lock(const struct request *request, DWORD flags, OVERLAPPED *at)
{
    int64_t length = length_of(request->range);

    if (request->mode == FILELOCK_EXCLUSIVE)
        flags |= LOCKFILE_EXCLUSIVE_LOCK;
    return LockFileEx(flk_handle(request->fd), flags, 0, (DWORD) length, (DWORD) (length >> 32), at) != 0;
}

static int answer(bool locked)
{
    if (locked)
        return 0;
    return GetLastError() == ERROR_LOCK_VIOLATION ? FLK_CONTENDED : flk_last_error();
}

static int try_request(void *arg)
{
    const struct request *request = arg;
    OVERLAPPED at = offset_of(request->range);
    bool locked = lock(request, LOCKFILE_FAIL_IMMEDIATELY, &at);
    DWORD none;

    if (!locked && GetLastError() == ERROR_IO_PENDING)
        locked = GetOverlappedResult(flk_handle(request->fd), &at, &none, TRUE) != 0;
    return answer(locked);
}

static int try_win32(int fd, const struct range *range, enum filelock_mode mode)
{
    struct request request = { fd, range, mode };

    return try_request(&request);
}

/*
 * The request is pending.  It is either granted or taken back, and only the system knows which: a lock that was
 * granted at the last moment is had.
 */
static int await(const struct request *request, OVERLAPPED *at, const struct limits *limits)
{
    HANDLE handle = flk_handle(request->fd);
    int rc = flk_wait_within(&at->hEvent, 1, limits, FLK_NEVER);
    DWORD none;

    if (rc < 0)
        (void) CancelIoEx(handle, at);
    if (GetOverlappedResult(handle, at, &none, TRUE))
        return 0;
    return rc < 0 && GetLastError() == ERROR_OPERATION_ABORTED ? rc : answer(false);
}

static int wait_win32(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits)
{
    struct request request = { fd, range, mode };
    OVERLAPPED at = offset_of(range);
    int rc;

    if (flk_overlapped_completes(fd))
        at.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (at.hEvent == NULL)
        return flk_retry(try_request, &request, limits);
    if (lock(&request, 0, &at))
        rc = 0;
    else
        rc = GetLastError() == ERROR_IO_PENDING ? await(&request, &at, limits) : answer(false);
    (void) CloseHandle(at.hEvent);
    return rc == FLK_CONTENDED ? -EAGAIN : rc; /* which nobody says that was asked to wait */
}

/* Wine says of what is not locked that it is in violation of a lock. */
static int unlock_win32(int fd, const struct range *range)
{
    OVERLAPPED at = offset_of(range);
    int64_t length = length_of(range);

    if (UnlockFileEx(flk_handle(fd), 0, (DWORD) length, (DWORD) (length >> 32), &at) ||
        GetLastError() == ERROR_NOT_LOCKED || GetLastError() == ERROR_LOCK_VIOLATION)
        return 0;
    return flk_last_error();
}

static const struct backend backend = {
    .exclusive_needs_write = false,
    .try = try_win32,
    .wait = wait_win32,
    .unlock = unlock_win32,
};

const struct kind flk_kind_win32 = {
    .id = FILELOCK_KIND_WIN32,
    .name = "win32",
    .abilities = CAN_SHARE | CAN_RANGE | CAN_LOCK_DESCRIPTOR,
    .default_range_length = 1,
    .backend = &backend,
    OS_LOCK_OPERATIONS,
};
