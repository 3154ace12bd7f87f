/* SPDX-License-Identifier: MIT
 *
 * Identifying processes: by host, by pid namespace, and by what tells a process from another that has the same pid.
 */
#ifndef FLK_PROCESS_ID_H
#define FLK_PROCESS_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "owner/life.h"
#include "owner/record.h"
#include "system/lifetime.h"

/* Makes a record of the calling process. */
void flk_process_self(struct record *record);

/* Makes a record of a process of this host, as far as it is seen.  Takes no locks.  False: no process has the pid. */
bool flk_process_record(int64_t pid, struct record *record);

int64_t flk_process_pid(void);

/* Makes a forked child forget what its parent knew about itself. */
extern const struct subscriber flk_process_subscriber;

/*
 * True if the pid in a record means something here: the record names this host; or its token has the id of this boot,
 * and its host names this pid namespace.  The second case is there because the name of a host may change while it runs.
 */
bool flk_process_local(const struct record *record);

/*
 * Tells whether the writer of a local record is alive.  Returns
 *   LIFE_DEAD     its death is proved: no process has the pid, or a zombie has it, or another process has got it since
 *   LIFE_UNKNOWN  the process that has the pid may be another, but that is not proved
 *   LIFE_ALIVE    in all other cases
 */
enum life flk_process_life_here(const struct record *record);

/*
 * Returns as flk_process_life_here() does, and stores the pid that a living process has here.  That differs from the
 * record's pid if the process is in a pid namespace within this one, and its record does not say so.
 */
enum life flk_process_find(const struct record *record, int64_t *pid);

/* Returns as flk_process_life_here() does, for any record: UNKNOWN if the record is not local. */
enum life flk_process_life(const struct record *record);

/* Stores the name of a process, which may have any bytes; "" if the name is not known. */
void flk_process_command(int64_t pid, char *command, size_t size);

/* True if this process sees all processes of the host, and not only those of its pid namespace. */
bool flk_process_sees_all(void);

#endif
