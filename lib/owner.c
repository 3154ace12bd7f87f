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

int flk_owner_write(int fd, const struct range *range, const struct record *record)
{
    char text[RECORD_SIZE];

    return flk_file_write_record(fd, range, text, flk_record_format(record, text));
}

/* ---- Fork ----------------------------------------------------------------------------------- */

/* Where there is a fork a record is all that is in a file, be it a marker's or a lock file's. */
static int write_plainly(int fd, const struct record *record)
{
    char text[RECORD_SIZE];

    return flk_file_write(fd, text, flk_record_format(record, text));
}

void flk_owner_forked(int fd)
{
    struct record self;

    if (flk_process_record(flk_process_pid(), &self))
        (void) write_plainly(fd, &self);
}

void flk_owner_leaves(int fd, int64_t sharer)
{
    struct record named, parent;
    char bytes[RECORD_SIZE + 1];
    int64_t self = flk_process_pid();
    ssize_t size = sharer != self ? flk_file_read(fd, bytes, sizeof(bytes)) : 0;

    if (size > 0 && flk_record_parse(bytes, (size_t) size, &named) == 0 && named.pid == self &&
        flk_process_record(sharer, &parent) && flk_process_life(&parent) == LIFE_ALIVE)
        (void) write_plainly(fd, &parent);
}
