/* SPDX-License-Identifier: MIT
 *
 * What is told of a holder.
 */
#include "config.h"

#include <stdio.h>

#include "owner.h"
#include "platform.h"
#include "process_id.h"

enum life flk_process_life(const struct record *record)
{
    return flk_process_local(record) ? flk_process_life_here(record) : LIFE_UNKNOWN;
}

void flk_owner_from_record(const struct record *record, struct filelock_owner *owner)
{
    owner->pid = record->pid;
    owner->local = flk_process_local(record);
    owner->alive = owner->local ? flk_process_life_here(record) : LIFE_UNKNOWN;
    (void) snprintf(owner->host, sizeof(owner->host), "%.*s", (int) sizeof(owner->host) - 1, record->host);
    if (owner->local && owner->alive == LIFE_ALIVE)
        flk_process_command(owner->pid, owner->command, sizeof(owner->command));
}

int flk_owner_write(int fd, const struct record *record)
{
    size_t lead = sizeof(OWNER_RECORD_LEAD) - 1;
    char text[sizeof(OWNER_RECORD_LEAD) + RECORD_SIZE] = OWNER_RECORD_LEAD;

    return flk_file_write(fd, text, lead + flk_record_format(record, text + lead));
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/* Where there is a fork nothing stands before a record, be it a marker's or a lock file's. */
void flk_owner_forked(int fd)
{
    struct record self;

    if (flk_process_record(flk_process_pid(), &self))
        (void) flk_owner_write(fd, &self);
}
