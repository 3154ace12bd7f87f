/* SPDX-License-Identifier: MIT
 *
 * Paths: UTF-8 to everybody else, UTF-16 to Windows.
 */
#ifndef FLK_WINDOWS_PATH_H
#define FLK_WINDOWS_PATH_H

#include <stdbool.h>
#include <wchar.h>

/* The full path as Windows wants it, however long; to be freed.  NULL: *rc is -errno; -ENOTSUP: a device's. */
wchar_t *flk_path_wide(const char *path, int *rc);

/* To be freed.  NULL: no memory. */
char *flk_path_utf8(const wchar_t *wide);

/* Cuts the last component off a full path; false: it is a drive or a share, and has none. */
bool flk_path_cut(wchar_t *wide);

/* Makes the missing directories that a full path lies in: 0 or -errno. */
int flk_path_make_parents(const wchar_t *wide);

/* The full path with a suffix; to be freed.  NULL: no memory. */
wchar_t *flk_path_suffixed(const wchar_t *wide, const wchar_t *suffix);

#endif
