/* SPDX-License-Identifier: MIT
 *
 * win32.h - what sources that run on Windows only use.
 */
#ifndef TESTS_WIN32_H
#define TESTS_WIN32_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define MOST_PATH 4096 /* bounds a wide path, in units */
#define KILLED 137     /* the exit status of a process that was terminated: 128 and SIGKILL, as on POSIX */

/* Returns a path for the wide functions.  It is in `text`, which has room for MOST_PATH. */
const WCHAR *wide(const char *path, WCHAR *text);

#endif
