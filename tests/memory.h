/* SPDX-License-Identifier: MIT
 *
 * memory.h - memory that is counted and can be refused: replaces malloc(3) in a program that links it.
 */
#ifndef MEMORY_H
#define MEMORY_H

/* False where a sanitizer needs a malloc(3) of its own: then nothing here has an effect. */
int memory_is_counted(void);

/* Counts calls from 0 from now on, and has the call of this number return NULL; -1: none. */
void memory_refuse(long call);

long memory_calls(void);  /* since memory_refuse() */
long memory_blocks(void); /* that were not given back yet */

#endif
