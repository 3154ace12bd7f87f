/* SPDX-License-Identifier: MIT
 *
 * What is told of a holder.
 */
#include "config.h"

#include <stdio.h>

#include "owner.h"
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
