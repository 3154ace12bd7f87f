/* SPDX-License-Identifier: MIT
 *
 * heap_glibc.c - asks a C library that keeps count how many bytes malloc has given out
 */
#include <config.h>

#include "worker.h"

#include <malloc.h>

int64_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t) (info.uordblks + info.hblkhd);
}
