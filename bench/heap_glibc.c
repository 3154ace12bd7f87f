/* SPDX-License-Identifier: MIT
 *
 * heap_glibc.c - counts the bytes that malloc has given out, by mallinfo2(3)
 */
#include <config.h>

#include "worker.h"

#include <malloc.h>

int64_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t) (info.uordblks + info.hblkhd);
}
