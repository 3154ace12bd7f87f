/* SPDX-License-Identifier: MIT
 *
 * Stacks of the library's threads, of the default size.  A small stack would not do: the thread sanitizer keeps its own
 * data there.
 */
#include "config.h"

#include "wait/worker.h"

bool flk_worker_stack_size(size_t *size)
{
    *size = 0;
    return true;
}
