/* SPDX-License-Identifier: MIT
 *
 * heap_none.c - for C libraries that do not count what malloc has given out
 */
#include <config.h>

#include "worker.h"

int64_t heap_bytes(void)
{
    return -1;
}
