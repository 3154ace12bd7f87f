/* SPDX-License-Identifier: MIT
 *
 * Removing files by handle: the file that was checked is the file that is removed, even if the path names another one
 * by then.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/error_windows.h"
#include "system/file.h"
#include "system/file_windows.h"
#include "system/path_windows.h"

/* FILE_DISPOSITION_INFO_EX of Windows 10, which not every header has. */
#define DISPOSITION_INFO_EX ((FILE_INFO_BY_HANDLE_CLASS) 21)
#define DISPOSE_DELETE 0x1u
#define DISPOSE_AS_POSIX 0x2u

/*
 * Removes the name at once, even if other processes have the file open.
 *   0         it is removed
 *   -EACCES   access is denied
 *   -ENOTSUP  this system cannot do that
 */
static int dispose_at_once(HANDLE handle)
{
    ULONG flags = DISPOSE_DELETE | DISPOSE_AS_POSIX;

    if (SetFileInformationByHandle(handle, DISPOSITION_INFO_EX, &flags, sizeof(flags)))
        return 0;
    return flk_last_error() == -EACCES ? -EACCES : -ENOTSUP;
}

/* Sets whether the name is removed when the last opener closes the file.  Returns 0 or -errno. */
static int dispose_at_last(HANDLE handle, BOOL dispose)
{
    FILE_DISPOSITION_INFO info = { (BOOLEAN) dispose };

    return SetFileInformationByHandle(handle, FileDispositionInfo, &info, sizeof(info)) ? 0 : flk_last_error();
}

/* ---- Aside ---------------------------------------------------------------------------------- */

#define ASIDE L".gone."

/* Frees the name of a file that will stay until its last opener closes it: renames the file. */
static void move_aside(HANDLE handle, const wchar_t *wide)
{
    static LONG counter;
    wchar_t suffix[64], *aside;
    FILE_RENAME_INFO *info;
    size_t length;

    (void) swprintf(suffix, sizeof(suffix) / sizeof(*suffix), ASIDE L"%lu.%lx", (unsigned long) GetCurrentProcessId(),
                    (unsigned long) InterlockedIncrement(&counter));
    aside = flk_path_suffixed(wide, suffix);
    length = aside != NULL ? wcslen(aside) * sizeof(*aside) : 0;
    info = aside != NULL ? calloc(1, sizeof(*info) + length) : NULL;
    if (info != NULL) {
        info->FileNameLength = (DWORD) length;
        memcpy(info->FileName, aside, length);
        (void) SetFileInformationByHandle(handle, FileRenameInfo, info, (DWORD) (sizeof(*info) + length));
    }
    free(info);
    free(aside);
}

/* True if no process of this host has the number. */
static bool is_unused(DWORD pid)
{
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, pid);
    bool unused =
        process == NULL ? GetLastError() == ERROR_INVALID_PARAMETER : WaitForSingleObject(process, 0) == WAIT_OBJECT_0;

    if (process != NULL)
        (void) CloseHandle(process);
    return unused;
}

/* True if a name with this suffix is of a file whose remover ended between moving it aside and removing it. */
static bool left_by_dead(const wchar_t *suffix)
{
    wchar_t *end;
    DWORD pid = (DWORD) wcstoul(suffix, &end, 10);

    return end != suffix && end[0] == '.' && end[1] != '\0' && end[1 + wcsspn(end + 1, L"0123456789abcdef")] == '\0' &&
           is_unused(pid);
}

static void remove_left(const wchar_t *folder, const wchar_t *name)
{
    wchar_t *wide = flk_path_suffixed(folder, name);
    int fd = wide != NULL ? flk_file_open_to_remove(wide, false) : -1;

    if (fd >= 0) {
        (void) dispose_at_last(flk_handle(fd), TRUE);
        flk_file_close(fd);
    }
    free(wide);
}

/* Removes the files that ended removers have left.  folder: ends in a backslash.  stem: the beginning of the names. */
static void remove_all_left(const wchar_t *pattern, const wchar_t *folder, const wchar_t *stem)
{
    WIN32_FIND_DATAW found;
    HANDLE find = FindFirstFileW(pattern, &found);
    size_t length = wcslen(stem);

    if (find == INVALID_HANDLE_VALUE)
        return;
    do
        if (_wcsnicmp(found.cFileName, stem, length) == 0 && left_by_dead(found.cFileName + length))
            remove_left(folder, found.cFileName);
    while (FindNextFileW(find, &found));
    (void) FindClose(find);
}

void flk_file_tidy(const wchar_t *wide)
{
    wchar_t *stem = flk_path_suffixed(wide, ASIDE), *pattern = flk_path_suffixed(wide, ASIDE L"*");
    wchar_t *name = stem != NULL ? wcsrchr(stem, '\\') : NULL, *folder = NULL;

    if (name != NULL && pattern != NULL && wcspbrk(name, L"*?") == NULL)
        folder = flk_path_suffixed(stem, L"");
    if (folder != NULL) {
        folder[name + 1 - stem] = '\0';
        remove_all_left(pattern, folder, name + 1);
    }
    free(folder);
    free(pattern);
    free(stem);
}

/* ---- Removing ------------------------------------------------------------------------------- */

/* Tries the removal and takes it back before it moves the file: a file that cannot be removed stays where it is. */
int flk_file_dispose(int fd, const wchar_t *wide)
{
    HANDLE handle = flk_handle(fd);
    int rc = dispose_at_once(handle);

    if (rc != -ENOTSUP)
        return rc;
    rc = dispose_at_last(handle, TRUE);
    if (rc != 0 || dispose_at_last(handle, FALSE) != 0)
        return rc;
    move_aside(handle, wide);
    rc = dispose_at_last(handle, TRUE);
    flk_file_tidy(wide);
    return rc;
}

/*
 * Refuses a second opener, since some systems rename by the name that the file was opened by.  The second remover could
 * then move a file that another process has put there since.
 */
int flk_file_open_to_remove(const wchar_t *wide, bool follow)
{
    const struct opening_way way = { DELETE | FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                                     follow };

    return flk_file_open_way(wide, &way);
}

static int remove_now(const wchar_t *wide, bool follow, const struct identity *id)
{
    int fd = flk_file_open_to_remove(wide, follow), rc = 0;
    struct identity found;

    if (fd < 0)
        return fd;
    if (id != NULL && (rc = flk_file_identity(fd, &found)) == 0 && !flk_file_same(&found, id))
        rc = -ENOENT;
    if (rc == 0)
        rc = flk_file_dispose(fd, wide);
    flk_file_close(fd);
    return rc;
}

/* Tries again because a process that looks at the file does so for a short time only. */
int flk_file_remove_patiently(const wchar_t *wide, bool follow, const struct identity *id)
{
    int64_t until = 0;
    int rc;

    do
        rc = remove_now(wide, follow, id);
    while ((rc == -EAGAIN || rc == -EACCES) && flk_file_patience(&until));
    return rc;
}

static int remove_path(const char *path, bool follow, const struct identity *id)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    if (wide == NULL)
        return rc;
    rc = flk_file_remove_patiently(wide, follow, id);
    free(wide);
    return rc;
}

int flk_file_remove(const char *path, bool follow)
{
    return remove_path(path, follow, NULL);
}

int flk_file_remove_same(const char *path, bool follow, const struct identity *id)
{
    int rc = remove_path(path, follow, id);

    return rc != -EAGAIN && flk_error_no_file(rc) ? -ENOENT : rc;
}
