/* SPDX-License-Identifier: MIT
 *
 * Lock files.  A lock file may lie in a directory that others can write: what stands at its path may
 * lead elsewhere, which is looked for on what was opened, not before.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "windows/error.h"
#include "windows/file.h"
#include "windows/path.h"

/* Rounds of making directories that somebody else removes. */
#define RACES_MOST 100

HANDLE flk_handle(int fd)
{
    return (HANDLE) (intptr_t) fd;
}

static int number_of(HANDLE handle)
{
    return (int) (intptr_t) handle;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Why what is there cannot be opened as a file, or 0; a junction is a link before it is a directory. */
static int what_is_there(const wchar_t *wide, bool follow)
{
    DWORD attributes = GetFileAttributesW(wide);

    if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return 0;
    return !follow && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 ? -ELOOP : -EISDIR;
}

/* The name of a directory, which is not there then. */
static bool ends_in_slash(const wchar_t *wide)
{
    return wide[0] != '\0' && wide[wcslen(wide) - 1] == '\\';
}

/* What leads elsewhere, or is not what it seems. */
static bool is_reparse_point(HANDLE handle)
{
    FILE_ATTRIBUTE_TAG_INFO info;

    return GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &info, sizeof(info)) &&
           (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

int flk_file_open_way(const wchar_t *wide, const struct opening_way *way)
{
    DWORD flags = FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OVERLAPPED | (way->follow ? 0 : FILE_FLAG_OPEN_REPARSE_POINT);
    HANDLE handle = CreateFileW(wide, way->access, way->share, NULL, way->disposition, flags, NULL);
    int error, other;

    if (handle == INVALID_HANDLE_VALUE) {
        error = flk_last_error();
        if (error != -EEXIST && (other = what_is_there(wide, way->follow)) != 0)
            return other;
        return error == -EINVAL && ends_in_slash(wide) ? -ENOENT : error;
    }
    error = GetFileType(handle) != FILE_TYPE_DISK ? -ENOTSUP : 0; /* a pipe */
    if (error == 0 && !way->follow && is_reparse_point(handle))
        error = -ELOOP;
    if (error == 0)
        return number_of(handle);
    (void) CloseHandle(handle);
    return error;
}

bool flk_file_patience(int64_t *until)
{
    int64_t now = flk_now();

    if (*until == 0)
        *until = now + DENIED_NS;
    if (now >= *until)
        return false;
    Sleep(5 + (DWORD) (now / 1000) % 10);
    return true;
}

/* Not for deleting: then nobody can put another file in the place of one that is in use. */
static int open_once(const wchar_t *wide, unsigned wishes, bool *writable)
{
    struct opening_way way = {
        .access = GENERIC_READ | GENERIC_WRITE,
        .share = FILE_SHARE_READ | FILE_SHARE_WRITE,
        .disposition = (wishes & FILE_EXISTING) != 0 ? OPEN_EXISTING : OPEN_ALWAYS,
        .follow = (wishes & FILE_FOLLOW) != 0,
    };
    int fd = flk_file_open_way(wide, &way), read_only;

    *writable = fd >= 0;
    if ((wishes & FILE_READ_ONLY_OK) == 0 || (fd != -EACCES && fd != -EROFS))
        return fd;
    way.access = GENERIC_READ;
    way.disposition = OPEN_EXISTING;
    read_only = flk_file_open_way(wide, &way);
    return read_only >= 0 ? read_only : fd;
}

/* The number, or -errno; -EAGAIN: somebody is in the way. */
static int open_patiently(const wchar_t *wide, unsigned wishes, bool *writable)
{
    int64_t until = 0;
    int races = 0, rc;

    for (;;) {
        rc = open_once(wide, wishes, writable);
        if (rc == -ENOENT && (wishes & FILE_MAKE_PARENTS) != 0 && races++ < RACES_MOST &&
            (rc = flk_path_make_parents(wide)) == 0)
            continue;
        if (rc != -EACCES || !flk_file_patience(&until))
            return rc;
    }
}

/* What bits there are on Windows comes from the directory. */
int flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, bool *writable)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    (void) mode;
    if (wide == NULL)
        return rc;
    rc = open_patiently(wide, wishes, writable);
    free(wide);
    if (rc >= 0)
        *fd = rc;
    return rc >= 0 ? 0 : rc == -EAGAIN ? FLK_CONTENDED : rc;
}

int flk_file_open_to_read(const char *path, bool follow)
{
    const struct opening_way way = { GENERIC_READ, SHARE_ALL, OPEN_EXISTING, follow };
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    if (wide == NULL)
        return rc;
    rc = flk_file_open_way(wide, &way);
    free(wide);
    return rc;
}

/* Only a forked child would have to. */
int flk_file_reopen(int fd, int *copy, bool *writable)
{
    (void) fd;
    (void) copy;
    (void) writable;
    return -ENOTSUP;
}

/* ---- What is open --------------------------------------------------------------------------- */

void flk_file_close(int fd)
{
    (void) CloseHandle(flk_handle(fd));
}

/* The C library knows nothing of our handles. */
int flk_file_descriptor(int fd)
{
    (void) fd;
    return -1;
}

int flk_file_inherit(int fd, bool on_exec)
{
    DWORD flag = on_exec ? HANDLE_FLAG_INHERIT : 0;

    return SetHandleInformation(flk_handle(fd), HANDLE_FLAG_INHERIT, flag) ? 0 : flk_last_error();
}

/* The identifier of 128 bits, which ReFS needs; of 64 where there is no other. */
static int identity_of(HANDLE handle, struct identity *id)
{
    FILE_ID_INFO full;
    BY_HANDLE_FILE_INFORMATION info;

    if (GetFileInformationByHandleEx(handle, FileIdInfo, &full, sizeof(full))) {
        id->volume = full.VolumeSerialNumber;
        memcpy(id->file, &full.FileId, sizeof(id->file));
        return 0;
    }
    if (!GetFileInformationByHandle(handle, &info))
        return flk_last_error();
    *id = (struct identity) { .volume = info.dwVolumeSerialNumber };
    memcpy(id->file, &info.nFileIndexLow, sizeof(info.nFileIndexLow));
    memcpy(id->file + sizeof(info.nFileIndexLow), &info.nFileIndexHigh, sizeof(info.nFileIndexHigh));
    return 0;
}

int flk_file_identity(int fd, struct identity *id)
{
    return identity_of(flk_handle(fd), id);
}

/* To look at attributes is allowed however the file is open elsewhere. */
int flk_file_path_identity(const char *path, bool follow, struct identity *id)
{
    DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | (follow ? 0 : FILE_FLAG_OPEN_REPARSE_POINT);
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);
    HANDLE handle;

    if (wide == NULL)
        return rc;
    handle = CreateFileW(wide, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING, flags, NULL);
    rc = handle != INVALID_HANDLE_VALUE ? identity_of(handle, id) : flk_last_error();
    free(wide);
    if (handle != INVALID_HANDLE_VALUE)
        (void) CloseHandle(handle);
    return rc;
}

/* -EAGAIN: the file that it names is about to go. */
bool flk_file_names_nothing(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -EAGAIN;
}

bool flk_file_is_removed(int fd)
{
    FILE_STANDARD_INFO info;

    return GetFileInformationByHandleEx(flk_handle(fd), FileStandardInfo, &info, sizeof(info)) &&
        (info.DeletePending || info.NumberOfLinks == 0);
}

bool flk_file_same(const struct identity *a, const struct identity *b)
{
    return a->volume == b->volume && memcmp(a->file, b->file, sizeof(a->file)) == 0;
}

int flk_file_version(int fd, struct file_version *version)
{
    HANDLE handle = flk_handle(fd);
    FILE_BASIC_INFO info;

    if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)))
        return flk_last_error();
    version->modified = info.LastWriteTime.QuadPart;
    version->directory = (info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    version->regular = !version->directory && GetFileType(handle) == FILE_TYPE_DISK;
    return identity_of(handle, &version->id);
}

bool flk_file_same_version(const struct file_version *a, const struct file_version *b)
{
    return flk_file_same(&a->id, &b->id) && a->modified == b->modified;
}

/* Who has a marker open without a record in it does not let it be deleted; that is proof enough. */
int flk_file_is_written(const struct identity *id)
{
    (void) id;
    return 0;
}

/* ---- Contents ------------------------------------------------------------------------------- */

static int want_regular(int fd)
{
    return GetFileType(flk_handle(fd)) == FILE_TYPE_DISK ? 0 : -EINVAL;
}

/*
 * How many bytes, or -errno; whether the handle is for overlapped calls or not.  One that is not has a position,
 * which is the caller's.
 */
static ssize_t transfer(int fd, char *in, const char *out, DWORD size, uint64_t offset)
{
    OVERLAPPED at = { .hEvent = CreateEventW(NULL, TRUE, FALSE, NULL) };
    HANDLE handle = flk_handle(fd);
    LARGE_INTEGER position, here = { .QuadPart = 0 };
    DWORD n = 0;
    ssize_t rc = 0;
    BOOL done, positioned = SetFilePointerEx(handle, here, &position, FILE_CURRENT);

    if (at.hEvent == NULL)
        return flk_last_error();
    at.Offset = (DWORD) offset;
    at.OffsetHigh = (DWORD) (offset >> 32);
    done = in != NULL ? ReadFile(handle, in, size, NULL, &at) : WriteFile(handle, out, size, NULL, &at);
    if (done || GetLastError() == ERROR_IO_PENDING)
        done = GetOverlappedResult(handle, &at, &n, TRUE);
    if (!done && GetLastError() != ERROR_HANDLE_EOF)
        rc = flk_last_error();
    if (positioned)
        (void) SetFilePointerEx(handle, position, NULL, FILE_BEGIN);
    (void) CloseHandle(at.hEvent);
    return rc < 0 ? rc : (ssize_t) n;
}

ssize_t flk_file_read_at(int fd, char *bytes, size_t size, uint64_t offset)
{
    size_t have = 0;
    ssize_t n = want_regular(fd);

    if (n < 0)
        return n;
    while (have < size && (n = transfer(fd, bytes + have, NULL, (DWORD) (size - have), offset + have)) > 0)
        have += (size_t) n;
    return n < 0 ? n : (ssize_t) have;
}

ssize_t flk_file_read(int fd, char *bytes, size_t size)
{
    return flk_file_read_at(fd, bytes, size, 0);
}

ssize_t flk_file_read_version(int fd, struct file_version *version, char *bytes, size_t size)
{
    int rc = flk_file_version(fd, version);

    if (rc != 0)
        return rc;
    return version->regular ? flk_file_read(fd, bytes, size) : 0;
}

int flk_file_write_all(int fd, const char *bytes, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = transfer(fd, NULL, bytes + done, (DWORD) (size - done), offset + done);

        if (n < 0)
            return (int) n;
        done += (size_t) n;
    }
    return 0;
}

/* The new bytes first, then the length: nobody who reads meanwhile finds nothing at all. */
int flk_file_write_last(int fd, const char *bytes, size_t size, uint64_t offset)
{
    FILE_END_OF_FILE_INFO end = { .EndOfFile.QuadPart = (LONGLONG) (offset + size) };
    int rc = want_regular(fd);

    if (rc == 0)
        rc = flk_file_write_all(fd, bytes, size, offset);
    if (rc == 0 && !SetFileInformationByHandle(flk_handle(fd), FileEndOfFileInfo, &end, sizeof(end)))
        rc = flk_last_error();
    return rc;
}

int flk_file_write(int fd, const char *bytes, size_t size)
{
    return flk_file_write_last(fd, bytes, size, 0);
}
