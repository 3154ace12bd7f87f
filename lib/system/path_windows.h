/* SPDX-License-Identifier: MIT
 *
 * Paths: UTF-8 in the library, UTF-16 in calls of Windows.
 */
#ifndef FLK_WINDOWS_PATH_H
#define FLK_WINDOWS_PATH_H

#include <stdbool.h>
#include <wchar.h>

/*
 * Returns the full path in the form that Windows takes at any length; to be freed.  NULL: *rc is -errno, -ENOTSUP if
 * the path names a device.
 */
wchar_t *flk_path_wide(const char *path, int *rc);

/* Returns the path in UTF-8, to be freed.  NULL: no memory. */
char *flk_path_utf8(const wchar_t *wide);

/* Cuts the last component off a full path.  False if the path is a drive or a share, which has none. */
bool flk_path_cut(wchar_t *wide);

/* Makes the missing directories that a full path lies in.  Returns 0 or -errno. */
int flk_path_make_parents(const wchar_t *wide);

/* Returns the full path with the suffix put after it, to be freed.  NULL: no memory. */
wchar_t *flk_path_suffixed(const wchar_t *wide, const wchar_t *suffix);

#endif
