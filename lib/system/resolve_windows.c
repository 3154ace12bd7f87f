/* SPDX-License-Identifier: MIT
 *
 * Where symbolic links lead.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <winioctl.h>

#include "system/file.h"
#include "system/path_windows.h"

#define MAX_LINKS 63 /* give up after as many links as Windows follows */

/* REPARSE_DATA_BUFFER of the driver kit, for a symbolic link. */
struct link_data {
    ULONG tag;
    USHORT length, reserved;
    USHORT target_offset, target_length; /* bytes, from the names on */
    USHORT print_offset, print_length;
    ULONG flags;
    wchar_t names[(MAXIMUM_REPARSE_DATA_BUFFER_SIZE - 20) / sizeof(wchar_t)];
};

/* Returns the target text of a link, to be freed.  NULL: no link, or no memory. */
static wchar_t *read_link(const wchar_t *wide)
{
    HANDLE handle = CreateFileW(wide, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    struct link_data *data = handle != INVALID_HANDLE_VALUE ? calloc(1, sizeof(*data)) : NULL;
    wchar_t *text = NULL;
    DWORD size;

    if (data != NULL && DeviceIoControl(handle, FSCTL_GET_REPARSE_POINT, NULL, 0, data, sizeof(*data), &size, NULL) &&
        data->tag == IO_REPARSE_TAG_SYMLINK && data->print_offset + data->print_length <= sizeof(data->names))
        text = calloc(1, data->print_length + sizeof(*text));
    if (text != NULL)
        memcpy(text, (const char *) data->names + data->print_offset, data->print_length);
    free(data);
    if (handle != INVALID_HANDLE_VALUE)
        (void) CloseHandle(handle);
    return text;
}

static bool is_relative(const wchar_t *text)
{
    return text[0] != '\\' && text[0] != '/' && !(text[0] != '\0' && text[1] == ':');
}

/* Returns where a link leads, to be freed; a relative target is put after the link's folder.  NULL: none, no memory. */
static wchar_t *next_link(const wchar_t *wide)
{
    wchar_t *text = read_link(wide), *next, *end;

    if (text == NULL || !is_relative(text))
        return text;
    next = flk_path_suffixed(wide, text);
    if (next != NULL) {
        const wchar_t *name = wcsrchr(wide, '\\'); /* NULL: the target of the previous link names no folder */
        size_t folder = name != NULL ? (size_t) (name + 1 - wide) : 0;

        end = next + folder;
        memmove(end, next + wcslen(wide), (wcslen(text) + 1) * sizeof(*text));
    }
    free(text);
    return next;
}

char *flk_file_resolve(const char *path)
{
    int rc;
    wchar_t *at = flk_path_wide(path, &rc), *next;
    bool led = false;
    char *resolved;

    for (int i = 0; i < MAX_LINKS && at != NULL && (next = next_link(at)) != NULL; i++) {
        free(at);
        at = next;
        led = true;
    }
    /* A path that cannot be converted is copied: opening it will fail. */
    resolved = led ? flk_path_utf8(at) : strdup(path);
    free(at);
    if (resolved == NULL)
        errno = ENOMEM;
    return resolved;
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
