/* SPDX-License-Identifier: MIT
 *
 * heap_none.c - where nobody counts what malloc has given out
 */
#include <config.h>

#include "worker.h"

int64_t heap_bytes(void) {
    return -1;
}
