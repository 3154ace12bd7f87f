/* SPDX-License-Identifier: MIT
 *
 * Swapping two names by renameat2(2) of Linux.  This calls the C library's function, not the kernel.  Preloaded
 * libraries that give a program another root replace that function, and know nothing of system calls.  So a system call
 * would swap the wrong files.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "soft/break_names.h"

int flk_marker_swap(const char *a, const char *b)
{
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0 ? 0 : -errno;
}
