/* SPDX-License-Identifier: MIT
 *
 * stdio.h - as Linux has it, and renamex_np(2) of macOS (standin.c).
 */
#include_next <stdio.h>

#ifndef STANDIN_STDIO_H
#define STANDIN_STDIO_H

#define RENAME_SWAP 2u

int renamex_np(const char *from, const char *to, unsigned flags);

#endif
