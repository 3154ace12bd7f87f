/* SPDX-License-Identifier: MIT
 *
 * Describing the holder of a lock.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "owner/life.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/file.h"

enum life flk_process_life_here(const struct record *record)
{
    int64_t pid;

    return flk_process_find(record, &pid);
}

enum life flk_process_life(const struct record *record)
{
    return flk_process_local(record) ? flk_process_life_here(record) : LIFE_UNKNOWN;
}

void flk_owner_from_record(const struct record *record, struct filelock_owner *owner)
{
    owner->pid = record->pid;
    owner->local = flk_process_local(record);
    owner->alive = owner->local ? flk_process_find(record, &owner->pid) : LIFE_UNKNOWN;
    (void) snprintf(owner->host, sizeof(owner->host), "%.*s", (int) sizeof(owner->host) - 1, record->host);
    if (owner->local && owner->alive == LIFE_ALIVE)
        flk_process_command(owner->pid, owner->command, sizeof(owner->command));
}

bool flk_owner_read(int fd, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read(fd, bytes, sizeof(bytes));

    return size > 0 && flk_record_parse(bytes, (size_t) size, record) == 0;
}

/* ---- Fork ----------------------------------------------------------------------------------- */

int flk_owner_name(int fd, int64_t pid)
{
    struct record record;
    char text[RECORD_SIZE];

    return flk_process_record(pid, &record) ? flk_file_write(fd, text, flk_record_format(&record, text)) : -ESRCH;
}

/* ---- Giving up ------------------------------------------------------------------------------ */

/*
 * Reads the record that this process has written.  A new one would not do: a process that has changed its root may not
 * be able to find out its host again.
 */
static void own_record(int fd, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read(fd, bytes, sizeof(bytes));

    if (size <= 0 || flk_record_read(bytes, (size_t) size, record) != READING_RECORD ||
        record->pid != flk_process_pid())
        flk_process_self(record);
}

/* How long contenders of other hosts go by the record of a marker that was given up. */
#define DISOWNED_NS 2000000000

int flk_owner_disown(int fd)
{
    struct record self, none = { .claim = CLAIM_LEASE, .pid = MAX_RECORD_PID, .lease = DISOWNED_NS, .grant = "0" };
    char text[RECORD_SIZE];

    own_record(fd, &self);
    memcpy(none.host, self.host, sizeof(none.host));
    return flk_file_write(fd, text, flk_record_format(&none, text));
}
