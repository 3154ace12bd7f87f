/* SPDX-License-Identifier: MIT
 *
 * heap_glibc.c - how much malloc has given out, where the C library keeps count
 */
#include <config.h>

#include "worker.h"

#include <malloc.h>

int64_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
}
