/* SPDX-License-Identifier: MIT
 *
 * Holders of locks.  Windows tells nothing of them: only the record that a holder writes itself does.  But no process
 * can read bytes that another has locked exclusively, nor write bytes that another has locked.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "kind.h"
#include "os/holder.h"
#include "os/overlapped.h"
#include "owner/life.h"
#include "owner/owner.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "system/file.h"
#include "system/file_windows.h"

/* Stands before a record, so that the record begins a line. */
#define LEAD "\n"
#define LEAD_SIZE (sizeof(LEAD) - 1)

/* No file is made longer than this for a record. */
#define MAX_PLACE 65536

/*
 * Returns the place of the lead, which is the last locked byte; the record comes after it.  0, the beginning of the
 * file, if the range ends too far away for a record behind it.
 */
static uint64_t place_of(const struct range *range)
{
    uint64_t end = (uint64_t) range->start + (uint64_t) range->length;

    return end <= MAX_PLACE ? end - LEAD_SIZE : 0;
}

/* Returns 0 also if a lock on other bytes is in the way: that keeps out the record, not the lock. */
int flk_holder_write(int fd, const struct range *range, const char *text, size_t size)
{
    char bytes[LEAD_SIZE + RECORD_SIZE] = LEAD;
    int rc;

    memcpy(bytes + LEAD_SIZE, text, size);
    rc = flk_file_write_last(fd, bytes, LEAD_SIZE + size, place_of(range));
    return rc != -EAGAIN ? rc : 0;
}

/* True if another open file has locked bytes at the beginning of the range exclusively. */
static bool is_locked(int fd, const struct range *range)
{
    char bytes[RECORD_SIZE];
    size_t size = range->length < (int64_t) sizeof(bytes) ? (size_t) range->length : sizeof(bytes);

    return flk_file_read_at(fd, bytes, size, (uint64_t) range->start) == -EAGAIN;
}

/* Reads the record of the range.  False if there is none, or if its process is dead. */
static bool read_record(int fd, const struct range *range, struct record *record)
{
    char bytes[LEAD_SIZE + RECORD_SIZE + 1] = LEAD;
    uint64_t place = place_of(range);
    ssize_t size = flk_file_read_at(fd, bytes, sizeof(bytes), place), lead = LEAD_SIZE;

    if (size == -EAGAIN)
        size = lead + flk_file_read_at(fd, bytes + lead, sizeof(bytes) - LEAD_SIZE, place + LEAD_SIZE);
    return size > lead && memcmp(bytes, LEAD, LEAD_SIZE) == 0 &&
           flk_record_parse(bytes + lead, (size_t) (size - lead), record) == 0 && record->claim == CLAIM_OWNER &&
           flk_process_life(record) != LIFE_DEAD;
}

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    int fd = target->path == NULL ? target->fd : flk_file_open_to_read(target->path, flk_target_follows(target));
    struct record record;
    bool locked, recorded;

    if (fd < 0)
        return fd != -EAGAIN ? fd : -ENOTSUP;
    locked = is_locked(fd, &target->range);
    /* A lock by the descriptor itself, or under Wine, is not seen.  Else a record without a lock is of other bytes. */
    recorded = (locked || target->path == NULL || flk_is_wine()) && read_record(fd, &target->range, &record);
    if (target->path != NULL)
        flk_file_close(fd);
    if (recorded)
        flk_owner_from_record(&record, owner);
    return recorded || locked ? 0 : -ENOTSUP;
}
