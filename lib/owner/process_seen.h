/* SPDX-License-Identifier: MIT
 *
 * What a system without proc(5) of Linux tells about a process.  process_id_posix.c uses it.
 */
#ifndef FLK_PROCESS_SEEN_H
#define FLK_PROCESS_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "owner/life.h"
#include "owner/record.h"

/*
 * Looks at a process, and stores the token of its start: "" if the start is not known.  Returns
 *   LIFE_DEAD   no living process has the pid
 *   LIFE_ALIVE  a living process has the pid, or that cannot be told
 */
enum life flk_process_see(int64_t pid, char token[RECORD_TOKEN_SIZE]);

/* Stores the name of a process, which may have any bytes; "" if the name is not known. */
void flk_process_see_name(int64_t pid, char *name, size_t size);

#endif
