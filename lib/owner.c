/* SPDX-License-Identifier: MIT
 *
 * What is told of a holder.
 */
#include "config.h"

#include <errno.h>
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

int flk_owner_write(int fd, const struct range *range, const struct record *record)
{
    char text[RECORD_SIZE];

    return flk_file_write_record(fd, range, text, flk_record_format(record, text));
}

/* ---- Fork ----------------------------------------------------------------------------------- */

int flk_owner_name(int fd, int64_t pid)
{
    struct record record;
    char text[RECORD_SIZE];

    return flk_process_record(pid, &record) ? flk_file_write(fd, text, flk_record_format(&record, text)) : -ESRCH;
}
