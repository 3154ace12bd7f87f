/* SPDX-License-Identifier: MIT
 *
 * Paths of Windows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "system/error_windows.h"
#include "system/path_windows.h"

/*
 * Longest full path that needs no prefix for any length.  MAX_PATH has to leave room for an 8.3 name in a directory,
 * and for the suffix that the library puts after the name of a file.
 */
#define MAX_SHORT (MAX_PATH - 40)

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

/*
 * Returns the full path after room free characters for a prefix, to be freed.  NULL: *rc is -errno.  Asks again until
 * the path fits, since the current directory may be changed between two calls.
 */
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

/* True if the path begins with \\?\ or \\.\, which stand before names of devices.  Drives and UNC are such names. */
static bool names_device(const wchar_t *path)
{
    return path[0] == '\\' && path[1] == '\\' && (path[2] == '?' || path[2] == '.') && path[3] == '\\';
}

/* Returns the path after this number of components and the backslashes behind them. */
static const wchar_t *skip_components(const wchar_t *path, int components)
{
    for (; components > 0; components--) {
        path += wcscspn(path, L"\\");
        path += wcsspn(path, L"\\");
    }
    return path;
}

/* Returns the full path after its drive or share.  A drive or share exists or does not, and cannot be made. */
static const wchar_t *skip_root(const wchar_t *path)
{
    if (_wcsnicmp(path, any_length_share, wcslen(any_length_share)) == 0)
        return skip_components(path + wcslen(any_length_share), 2);
    if (names_device(path))
        return skip_components(path + wcslen(any_length), 1);
    return path[0] == '\\' && path[1] == '\\' ? skip_components(path + 2, 2) : skip_components(path, 1);
}

/* True if the path names a device itself, as NUL and COM1 do in any folder.  To open a device could do anything. */
static bool is_device(const wchar_t *path)
{
    return names_device(path) && wcschr(path + wcslen(any_length), '\\') == NULL;
}

/* Puts the prefix for any length before the path, which stands in the buffer after the room. */
static void insert_prefix(wchar_t *buffer, size_t room)
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
    if (wcslen(full + room) >= MAX_SHORT && !names_device(full + room))
        insert_prefix(full, room);
    else
        memmove(full, full + room, (wcslen(full + room) + 1) * sizeof(*full));
    if (names_device(full))
        full[2] = '?'; /* the same device for a full path, and of any length */
    return full;
}

wchar_t *flk_path_wide(const char *path, int *rc)
{
    wchar_t *wide = to_wide(path, rc), *full;

    if (wide == NULL)
        return NULL;
    if (wcsncmp(wide, any_length, wcslen(any_length)) == 0) {
        full = wide; /* the prefix says that the path is literal */
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
    wchar_t *root = wide + (skip_root(wide) - wide), *end = wide + wcslen(wide);

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

/* Makes a directory.  Returns 0 also if another process makes it first. */
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

/* Makes the directory.  If the directory above it is missing, makes that first, by recursion. */
static int make_directories(wchar_t *wide)
{
    int rc = *skip_root(wide) != '\0' ? make_directory(wide) : -ENOENT;
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
