/* SPDX-License-Identifier: MIT
 *
 * win32.h - what sources use that run on Windows only.
 */
#ifndef TESTS_WIN32_H
#define TESTS_WIN32_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define MOST_PATH 4096 /* of a wide path, in units */
#define KILLED 137     /* the exit status of a process that was terminated: 128 and SIGKILL, as elsewhere */

/* A path for the wide functions, in `text`, which has room for MOST_PATH. */
const WCHAR *wide(const char *path, WCHAR *text);

#endif
