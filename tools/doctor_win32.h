/* SPDX-License-Identifier: MIT
 *
 * doctor_win32.h - paths of the doctor on Windows.
 */
#ifndef DOCTOR_WIN32_H
#define DOCTOR_WIN32_H

#include <wchar.h>

/* Returns a path for the system, which the caller frees, or NULL: it is not UTF-8, or there is no memory. */
wchar_t *doctor_wide(const char *path);

#endif
