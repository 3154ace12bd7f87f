/* SPDX-License-Identifier: MIT
 *
 * Swapping two names, where the system cannot do it in one step.
 */
#include "config.h"

#include <errno.h>

#include "soft/break_names.h"

int flk_marker_swap(const char *a, const char *b)
{
    (void) a;
    (void) b;
    return -ENOTSUP;
}
