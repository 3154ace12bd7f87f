/* SPDX-License-Identifier: MIT
 *
 * Which process is which: on this host, in this pid namespace, and not another of the same pid.
 */
#ifndef FLK_PROCESS_ID_H
#define FLK_PROCESS_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

enum life { LIFE_UNKNOWN = -1, LIFE_DEAD = 0, LIFE_ALIVE = 1 };

/* The calling process, for a record that it writes. */
void flk_process_self(struct record *record);

/* Any process of this host, as far as it is seen; false: there is none.  Takes no locks. */
bool flk_process_record(int64_t pid, struct record *record);

int64_t flk_process_pid(void);

void flk_process_forked(void); /* in a child, with the guard taken */

/* Whether a record's pid means anything here. */
bool flk_process_local(const struct record *record);

/*
 * Of a local record: DEAD on proof only, which is that there is no such pid, it is a zombie's, or another
 * process has got it since.
 */
enum life flk_process_life_here(const struct record *record);

/* Of any record; UNKNOWN if it is not local. */
enum life flk_process_life(const struct record *record);

/* The name of a process, unprintable bytes as '?'; "" when not known. */
void flk_process_command(int64_t pid, char *command, size_t size);

/* Whether pids of all processes of this host are seen, not only those of a pid namespace. */
bool flk_process_sees_all(void);

#endif
