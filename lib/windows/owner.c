/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, of whom Windows tells nothing: only a record that they write themselves does.  But bytes that
 * are locked exclusively cannot be read by others, nor bytes written that others have locked.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "owner.h"
#include "process_id.h"
#include "windows/file.h"
#include "windows/overlapped.h"

/* What stands before a record, so that it begins a line. */
#define LEAD "\n"
#define LEAD_SIZE (sizeof(LEAD) - 1)

/* No file is made longer than this for a record. */
#define PLACE_MOST 65536

/* The lead is the last byte that is locked, the record behind it; behind what ends too far away there is none. */
static uint64_t place_of(const struct range *range)
{
    uint64_t end = (uint64_t) range->start + (uint64_t) range->length;

    return end <= PLACE_MOST ? end - LEAD_SIZE : 0;
}

/* A lock is had also if another, on other bytes, is in the way of its record. */
int flk_file_write_record(int fd, const struct range *range, const char *text, size_t size)
{
    char bytes[LEAD_SIZE + RECORD_SIZE] = LEAD;
    int rc;

    memcpy(bytes + LEAD_SIZE, text, size);
    rc = flk_file_write_last(fd, bytes, LEAD_SIZE + size, place_of(range));
    return rc != -EAGAIN ? rc : 0;
}

/* Bytes at the beginning of the range are, exclusively and not by this open file. */
static bool is_locked(int fd, const struct range *range)
{
    char bytes[RECORD_SIZE];
    size_t size = range->length < (int64_t) sizeof(bytes) ? (size_t) range->length : sizeof(bytes);

    return flk_file_read_at(fd, bytes, size, (uint64_t) range->start) == -EAGAIN;
}

/* false: there is none of a process that may be alive. */
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
    int fd = target->path == NULL ? target->fd
                                  : flk_file_open_to_read(target->path, (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0);
    struct record record;
    bool locked, recorded;

    if (fd < 0)
        return fd != -EAGAIN ? fd : -ENOTSUP;
    locked = is_locked(fd, &target->range);
    /* A lock by the descriptor itself, or under Wine, is not seen; else a record without one is of other bytes. */
    recorded = (locked || target->path == NULL || flk_is_wine()) && read_record(fd, &target->range, &record);
    if (target->path != NULL)
        flk_file_close(fd);
    if (recorded)
        flk_owner_from_record(&record, owner);
    return recorded || locked ? 0 : -ENOTSUP;
}
