/* SPDX-License-Identifier: MIT
 *
 * Paths of Windows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "platform.h"
#include "windows/error.h"
#include "windows/path.h"

/* What every call takes has to have room for a name of 8.3 in a directory, and for what is put after a file's. */
#define SHORT_MOST (MAX_PATH - 40)

static const wchar_t any_length[] = L"\\\\?\\", any_length_share[] = L"\\\\?\\UNC\\";

static wchar_t *to_wide(const char *path, int *rc)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t) n * sizeof(*wide)) : NULL;

    *rc = n > 0 ? -ENOMEM : flk_last_error();
    if (wide != NULL)
        (void) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, n);
    return wide;
}

char *flk_path_utf8(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *path = n > 0 ? malloc((size_t) n) : NULL;

    if (path != NULL)
        (void) WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, n, NULL, NULL);
    return path;
}

/* With room for the longest prefix before it.  The current directory may be changed between two calls. */
static wchar_t *full_path(const wchar_t *wide, size_t room, int *rc)
{
    DWORD size = GetFullPathNameW(wide, 0, NULL, NULL), n = size;
    wchar_t *full = NULL;

    while (n >= size && n > 0) {
        size = n;
        free(full);
        full = malloc((room + size) * sizeof(*full));
        if (full == NULL) {
            *rc = -ENOMEM;
            return NULL;
        }
        n = GetFullPathNameW(wide, size, full + room, NULL);
    }
    *rc = n > 0 ? 0 : flk_last_error();
    if (n > 0)
        return full;
    free(full);
    return NULL;
}

/* \\?\ or \\.\: what follows are names of devices, of which drives and UNC are some. */
static bool names_device(const wchar_t *path)
{
    return path[0] == '\\' && path[1] == '\\' && (path[2] == '?' || path[2] == '.') && path[3] == '\\';
}

/* Past so many components, and what separates the last of them from the next. */
static const wchar_t *past(const wchar_t *path, int components)
{
    for (; components > 0; components--) {
        path += wcscspn(path, L"\\");
        path += wcsspn(path, L"\\");
    }
    return path;
}

/* What of a full path is there or is not, but cannot be made: the drive, the share. */
static const wchar_t *past_root(const wchar_t *path)
{
    if (_wcsnicmp(path, any_length_share, wcslen(any_length_share)) == 0)
        return past(path + wcslen(any_length_share), 2);
    if (names_device(path))
        return past(path + wcslen(any_length), 1);
    return path[0] == '\\' && path[1] == '\\' ? past(path + 2, 2) : past(path, 1);
}

/* A device itself, as NUL and COM1 are in any folder: to open it could do anything. */
static bool is_device(const wchar_t *path)
{
    return names_device(path) && wcschr(path + wcslen(any_length), '\\') == NULL;
}

/* Puts the prefix before the path, which stands after the room for it. */
static void prefix(wchar_t *buffer, size_t room)
{
    wchar_t *path = buffer + room;
    bool share = path[0] == '\\' && path[1] == '\\';
    const wchar_t *before = share ? any_length_share : any_length;
    size_t skipped = share ? 2 : 0, n = wcslen(before);

    memcpy(buffer, before, n * sizeof(*before));
    memmove(buffer + n, path + skipped, (wcslen(path + skipped) + 1) * sizeof(*path));
}

static wchar_t *full_of_any_length(const wchar_t *wide, int *rc)
{
    size_t room = sizeof(any_length_share) / sizeof(*any_length_share);
    wchar_t *full = full_path(wide, room, rc);

    if (full == NULL)
        return NULL;
    if (wcslen(full + room) >= SHORT_MOST && !names_device(full + room))
        prefix(full, room);
    else
        memmove(full, full + room, (wcslen(full + room) + 1) * sizeof(*full));
    if (names_device(full))
        full[2] = '?'; /* which is the same now, and of any length */
    return full;
}

wchar_t *flk_path_wide(const char *path, int *rc)
{
    wchar_t *wide = to_wide(path, rc), *full;

    if (wide == NULL)
        return NULL;
    if (wcsncmp(wide, any_length, wcslen(any_length)) == 0) {
        full = wide; /* what is said to be literal is */
    } else {
        full = full_of_any_length(wide, rc);
        free(wide);
    }
    if (full == NULL || !is_device(full))
        return full;
    free(full);
    *rc = -ENOTSUP;
    return NULL;
}

bool flk_path_cut(wchar_t *wide)
{
    wchar_t *root = wide + (past_root(wide) - wide), *end = wide + wcslen(wide);

    if (end == root)
        return false;
    while (end > root && end[-1] == '\\')
        end--;
    while (end > root && end[-1] != '\\')
        end--;
    while (end > root && end[-1] == '\\')
        end--;
    *end = '\0';
    return true;
}

/* 0 also if somebody else was quicker. */
static int make_directory(const wchar_t *wide)
{
    DWORD attributes;

    if (CreateDirectoryW(wide, NULL))
        return 0;
    if (GetLastError() != ERROR_ALREADY_EXISTS)
        return flk_last_error();
    attributes = GetFileAttributesW(wide);
    return attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? 0 : -ENOTDIR;
}

/* From the inside out, and back. */
static int make_directories(wchar_t *wide)
{
    int rc = *past_root(wide) != '\0' ? make_directory(wide) : -ENOENT;
    wchar_t *parent = rc == -ENOENT ? wcsdup(wide) : NULL;

    if (parent != NULL && flk_path_cut(parent)) {
        rc = make_directories(parent);
        if (rc == 0)
            rc = make_directory(wide);
    }
    free(parent);
    return rc;
}

int flk_path_make_parents(const wchar_t *wide)
{
    wchar_t *parent = wcsdup(wide);
    int rc = parent == NULL ? -ENOMEM : flk_path_cut(parent) ? make_directories(parent) : -ENOENT;

    free(parent);
    return rc;
}

wchar_t *flk_path_suffixed(const wchar_t *wide, const wchar_t *suffix)
{
    wchar_t *path = malloc((wcslen(wide) + wcslen(suffix) + 1) * sizeof(*path));

    if (path != NULL)
        wcscat(wcscpy(path, wide), suffix);
    return path;
}

char *flk_file_absolute(const char *path)
{
    bool rooted = path[0] != '\0' && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
    int rc;
    wchar_t *wide = rooted || (path[0] == '\\' && path[1] == '\\') ? NULL : flk_path_wide(path, &rc);
    char *absolute = wide != NULL ? flk_path_utf8(wide) : NULL;

    free(wide);
    return absolute;
}
