/* SPDX-License-Identifier: MIT
 *
 * Telling by its start whether a process is the writer of a record.
 */
#ifndef FLK_PROCESS_START_H
#define FLK_PROCESS_START_H

#include <stdbool.h>
#include <stdint.h>

#include "owner/life.h"
#include "owner/proc_text.h"

/* True if all threads of the process have ended. */
bool flk_process_is_dead(const struct process_stat *stat);

/*
 * Compares the start of a process with the start in a record.  Returns
 *   LIFE_ALIVE    the process is the writer of the record
 *   LIFE_DEAD     it is another process
 *   LIFE_UNKNOWN  it is or was in another time namespace, and may have written the start that it saw there
 */
enum life flk_process_began_at(int64_t pid, const struct process_stat *stat, uint64_t start);

/*
 * Looks in the pid namespaces within this one for a process that has the pid there and began at the start.  Returns
 *   LIFE_ALIVE    there is such a process; *here is its pid in this namespace
 *   LIFE_DEAD     no such process is seen
 *   LIFE_UNKNOWN  there may be such a process
 */
enum life flk_process_search_within(int64_t pid, uint64_t start, int64_t *here);

#endif
