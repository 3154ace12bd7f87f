/* SPDX-License-Identifier: MIT
 *
 * Where two names cannot be swapped in one step.
 */
#include "config.h"

#include <errno.h>

#include "posix/marker.h"

int flk_marker_swap(const char *a, const char *b)
{
    (void) a;
    (void) b;
    return -ENOTSUP;
}
