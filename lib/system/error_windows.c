/* SPDX-License-Identifier: MIT
 *
 * The errors of Windows.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <windows.h>
#include <winternl.h>

#include "system/error_windows.h"

/* STATUS_DELETE_PENDING of ntstatus.h, which cannot be included together with windows.h. */
#define DELETE_PENDING ((NTSTATUS) 0xC0000056)

/* ERROR_DISK_QUOTA_EXCEEDED, which not every winerror.h has. */
#define QUOTA_EXCEEDED 1295

NTSYSAPI NTSTATUS NTAPI RtlGetLastNtStatus(void);

static const struct {
    DWORD error;
    int number;
} meanings[] = {
    { ERROR_FILE_NOT_FOUND, ENOENT },
    { ERROR_PATH_NOT_FOUND, ENOENT },
    { ERROR_INVALID_DRIVE, ENOENT },
    { ERROR_BAD_NETPATH, EHOSTUNREACH },
    { ERROR_REM_NOT_LIST, EHOSTUNREACH },
    { ERROR_NETWORK_UNREACHABLE, EHOSTUNREACH },
    { ERROR_HOST_UNREACHABLE, EHOSTUNREACH },
    { ERROR_BAD_NET_NAME, ENOENT },
    { ERROR_BAD_PATHNAME, ENOENT },
    { ERROR_DIRECTORY, ENOTDIR },
    { ERROR_ACCESS_DENIED, EACCES },
    { ERROR_NETWORK_ACCESS_DENIED, EACCES },
    { ERROR_LOGON_FAILURE, EACCES },
    { ERROR_SESSION_CREDENTIAL_CONFLICT, EACCES },
    { ERROR_PRIVILEGE_NOT_HELD, EPERM },
    { ERROR_WRITE_PROTECT, EROFS },
    { ERROR_SHARING_VIOLATION, EAGAIN },
    { ERROR_LOCK_VIOLATION, EAGAIN },
    { ERROR_DELETE_PENDING, EAGAIN },
    { ERROR_USER_MAPPED_FILE, EAGAIN },
    { ERROR_FILE_EXISTS, EEXIST },
    { ERROR_ALREADY_EXISTS, EEXIST },
    { ERROR_CANT_RESOLVE_FILENAME, ELOOP },
    { ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
    { ERROR_BUFFER_OVERFLOW, ENAMETOOLONG },
    { ERROR_INVALID_NAME, EINVAL },
    { ERROR_INVALID_PARAMETER, EINVAL },
    { ERROR_NO_UNICODE_TRANSLATION, EILSEQ },
    { ERROR_DISK_FULL, ENOSPC },
    { ERROR_HANDLE_DISK_FULL, ENOSPC },
    { QUOTA_EXCEEDED, ENOSPC },
    { ERROR_TOO_MANY_OPEN_FILES, EMFILE },
    { ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
    { ERROR_OUTOFMEMORY, ENOMEM },
    { ERROR_NO_SYSTEM_RESOURCES, ENOMEM },
    { ERROR_NOT_ENOUGH_QUOTA, ENOMEM },
    { ERROR_COMMITMENT_LIMIT, ENOMEM },
    { ERROR_SHARING_BUFFER_EXCEEDED, ENOLCK },
    { ERROR_INVALID_HANDLE, EBADF },
    { ERROR_INVALID_FUNCTION, ENOTSUP },
    { ERROR_NOT_SUPPORTED, ENOTSUP },
    { ERROR_CALL_NOT_IMPLEMENTED, ENOTSUP },
};

int flk_last_error(void)
{
    DWORD error = GetLastError();

    /* For a file that is about to be removed, Windows reports denied access.  The status tells the two apart. */
    if (error == ERROR_ACCESS_DENIED && RtlGetLastNtStatus() == DELETE_PENDING)
        return -EAGAIN;
    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (meanings[i].error == error)
            return -meanings[i].number;
    return -EIO;
}
