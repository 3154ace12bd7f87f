/* SPDX-License-Identifier: MIT
 *
 * Swapping two names by renameat2(2) of Linux, where the C library has no function for it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soft/break_names.h"

#define EXCHANGE 2u /* RENAME_EXCHANGE, which such a library's headers lack */

int flk_marker_swap(const char *a, const char *b)
{
    return syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, EXCHANGE) == 0 ? 0 : -errno;
}
