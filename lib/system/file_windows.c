/* SPDX-License-Identifier: MIT
 *
 * Lock files.  A lock file may lie in a directory that other users can write, and its path may lead elsewhere.  So that
 * is checked on the opened file, not before.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "system/clock.h"
#include "system/error_windows.h"
#include "system/file.h"
#include "system/file_windows.h"
#include "system/path_windows.h"
#include "system/remote.h"

/* Give up after so many rounds of making directories that another process removes. */
#define MAX_RACES 100

HANDLE flk_handle(int fd)
{
    return (HANDLE) (intptr_t) fd;
}

static int number_of(HANDLE handle)
{
    return (int) (intptr_t) handle;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Returns why the path cannot be opened as a file, or 0.  A junction counts as a link rather than a directory. */
static int directory_error(const wchar_t *wide, bool follow)
{
    DWORD attributes = GetFileAttributesW(wide);

    if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return 0;
    return !follow && (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 ? -ELOOP : -EISDIR;
}

/* True if the path ends in a backslash: then it is the name of a directory, and that is missing. */
static bool ends_in_slash(const wchar_t *wide)
{
    return wide[0] != '\0' && wide[wcslen(wide) - 1] == '\\';
}

/* True for a file that leads elsewhere, or is not what it seems. */
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
        if (error != -EEXIST && (other = directory_error(wide, way->follow)) != 0)
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

/* Opens without FILE_SHARE_DELETE, so that no process can put another file in the place of a file in use. */
static int open_once(const wchar_t *wide, unsigned wishes, unsigned *access)
{
    struct opening_way way = {
        .access = GENERIC_READ | GENERIC_WRITE,
        .share = FILE_SHARE_READ | FILE_SHARE_WRITE,
        .disposition = (wishes & FILE_EXISTING) != 0 ? OPEN_EXISTING : OPEN_ALWAYS,
        .follow = (wishes & FILE_FOLLOW) != 0,
    };
    int fd = flk_file_open_way(wide, &way), read_only;

    *access = FILE_READS | FILE_WRITES;
    if (fd != -EACCES && fd != -EROFS)
        return fd;
    if ((wishes & (FILE_TO_WRITE | FILE_READ_ONLY_OK)) == FILE_TO_WRITE)
        return fd;
    *access = FILE_READS;
    way.access = GENERIC_READ;
    way.disposition = OPEN_EXISTING;
    read_only = flk_file_open_way(wide, &way);
    return read_only >= 0 ? read_only : fd;
}

/* Returns the number, or -errno; -EAGAIN: another process is in the way. */
static int open_patiently(const wchar_t *wide, unsigned wishes, unsigned *access)
{
    int64_t until = 0;
    int races = 0, rc;

    for (;;) {
        rc = open_once(wide, wishes, access);
        if (rc == -ENOENT && (wishes & FILE_MAKE_PARENTS) != 0 && races++ < MAX_RACES &&
            (rc = flk_path_make_parents(wide)) == 0)
            continue;
        if (rc != -EACCES || !flk_file_patience(&until))
            return rc;
    }
}

/* Ignores mode, since a new file of Windows gets its permissions from the directory. */
enum outcome flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, unsigned *access)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    (void) mode;
    if (wide == NULL)
        return rc;
    rc = open_patiently(wide, wishes, access);
    free(wide);
    if (rc >= 0)
        *fd = rc;
    return rc >= 0 ? 0 : rc == -EAGAIN ? CONTENDED : rc;
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

/* Returns -ENOTSUP: only a forked child would need it. */
enum outcome flk_file_reopen(int fd, int *copy, unsigned *access)
{
    (void) fd;
    (void) copy;
    (void) access;
    return -ENOTSUP;
}

/* ---- What is open --------------------------------------------------------------------------- */

void flk_file_close(int fd)
{
    (void) CloseHandle(flk_handle(fd));
}

/* Returns -1: the C library does not know the library's handles. */
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

/* Takes the identifier of 128 bits, which ReFS needs, or that of 64 bits where there is no other. */
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

/*
 * Opens for attributes only, which is allowed in whatever way other processes have the file open.  Returns
 * INVALID_HANDLE_VALUE after an error, and then *rc is set.
 */
static HANDLE open_to_ask(const char *path, bool follow, int *rc)
{
    DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | (follow ? 0 : FILE_FLAG_OPEN_REPARSE_POINT);
    wchar_t *wide = flk_path_wide(path, rc);
    HANDLE handle = INVALID_HANDLE_VALUE;

    if (wide == NULL)
        return handle;
    handle = CreateFileW(wide, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING, flags, NULL);
    *rc = handle != INVALID_HANDLE_VALUE ? 0 : flk_last_error();
    free(wide);
    return handle;
}

int flk_file_path_identity(const char *path, bool follow, struct identity *id)
{
    int rc;
    HANDLE handle = open_to_ask(path, follow, &rc);

    if (handle == INVALID_HANDLE_VALUE)
        return rc;
    rc = identity_of(handle, id);
    (void) CloseHandle(handle);
    return rc;
}

int flk_file_folder_identity(const char *path, struct identity *id)
{
    int rc = -ENOMEM;
    wchar_t *wide = flk_path_wide(path, &rc);
    char *folder = wide != NULL && flk_path_cut(wide) ? flk_path_utf8(wide) : NULL;

    free(wide);
    if (folder != NULL)
        rc = flk_file_path_identity(folder, true, id);
    free(folder);
    return rc;
}

/* Nothing to do: flk_file_path_identity() opens the file. */
void flk_file_path_refresh(const char *path, bool follow)
{
    (void) path;
    (void) follow;
}

/* Nothing to do: a client of SMB keeps no writes back once another client opens the file. */
void flk_file_send(int fd)
{
    (void) fd;
}

bool flk_error_no_resources(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

/* True also for -EAGAIN: the file that the path names is about to be removed. */
bool flk_error_no_file(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -EAGAIN;
}

bool flk_file_is_removed(int fd)
{
    FILE_STANDARD_INFO info;

    return GetFileInformationByHandleEx(flk_handle(fd), FileStandardInfo, &info, sizeof(info)) &&
           (info.DeletePending || info.NumberOfLinks == 0);
}

/* Treats a volume of 0 as unknown: Wine tells no volume of a removed file that is open. */
bool flk_file_same(const struct identity *a, const struct identity *b)
{
    return (a->volume == b->volume || a->volume == 0 || b->volume == 0) &&
           memcmp(a->file, b->file, sizeof(a->file)) == 0;
}

size_t flk_file_key(const struct identity *id, unsigned char *bytes)
{
    memcpy(bytes, &id->volume, sizeof(id->volume));
    memcpy(bytes + sizeof(id->volume), id->file, sizeof(id->file));
    return sizeof(id->volume) + sizeof(id->file);
}

static int version_of(HANDLE handle, struct file_version *version)
{
    FILE_BASIC_INFO info;

    if (!GetFileInformationByHandleEx(handle, FileBasicInfo, &info, sizeof(info)))
        return flk_last_error();
    version->modified = info.LastWriteTime.QuadPart;
    version->directory = (info.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    version->regular = !version->directory && GetFileType(handle) == FILE_TYPE_DISK;
    return identity_of(handle, &version->id);
}

int flk_file_version(int fd, struct file_version *version)
{
    return version_of(flk_handle(fd), version);
}

int flk_file_path_version(const char *path, bool follow, struct file_version *version)
{
    int rc;
    HANDLE handle = open_to_ask(path, follow, &rc);

    if (handle == INVALID_HANDLE_VALUE)
        return rc;
    rc = version_of(handle, version);
    (void) CloseHandle(handle);
    return rc;
}

bool flk_file_same_version(const struct file_version *a, const struct file_version *b)
{
    return flk_file_same(&a->id, &b->id) && a->modified == b->modified;
}

/* False, since the number of a file contains a count of its uses. */
bool flk_file_numbers_recur(void)
{
    return false;
}

/* False always: a server keeps a client from removing a file that is open elsewhere, as Windows does for processes. */
bool flk_file_is_remote(int fd)
{
    (void) fd;
    return false;
}

int flk_file_is_smb(int fd)
{
    (void) fd;
    return 0;
}

bool flk_file_place_is_smb(const char *path, bool follow)
{
    (void) path;
    (void) follow;
    return false;
}

/* flk_file_path_identity() opens the file, and so asks the server. */
bool flk_file_names_age(int fd, const struct identity *id)
{
    (void) fd;
    (void) id;
    return false;
}

/* ---- Contents ------------------------------------------------------------------------------- */

static int want_regular(int fd)
{
    return GetFileType(flk_handle(fd)) == FILE_TYPE_DISK ? 0 : -EINVAL;
}

/*
 * Reads or writes at an offset, whether the handle is for overlapped calls or not.  If not, the handle has a position:
 * that is the caller's, and is put back.  Returns how many bytes, or -errno.
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

/*
 * Reads once: a read of a disk file is short only at the end of the file.  A second read would put bytes that another
 * process has written meanwhile behind the old ones.
 */
ssize_t flk_file_read_at(int fd, char *bytes, size_t size, uint64_t offset)
{
    int rc = want_regular(fd);

    return rc == 0 ? transfer(fd, bytes, NULL, (DWORD) size, offset) : rc;
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

/* Writes the new bytes first and sets the length afterwards, so that no reader in between finds an empty file. */
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
