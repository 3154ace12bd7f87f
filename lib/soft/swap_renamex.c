/* SPDX-License-Identifier: MIT
 *
 * Swapping two names by renamex_np(2) of macOS.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "soft/break_names.h"

int flk_marker_swap(const char *a, const char *b)
{
    return renamex_np(a, b, RENAME_SWAP) == 0 ? 0 : -errno;
}
