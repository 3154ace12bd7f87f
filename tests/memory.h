/* SPDX-License-Identifier: MIT
 *
 * memory.h - memory that is counted, and that is refused: in a program that links it, this is malloc(3).
 */
#ifndef MEMORY_H
#define MEMORY_H

/* 0 where a sanitizer has to have malloc(3): then nothing here happens. */
int memory_is_counted(void);

/* From now on the calls count from 0, and that one answers NULL; -1: none does. */
void memory_refuse(long call);

long memory_calls(void);  /* since memory_refuse() */
long memory_blocks(void); /* that were not given back yet */

#endif
