/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, of whom Windows tells nothing: only a record that they write themselves does.  But bytes that
 * are locked exclusively cannot be read.
 */
#include "config.h"

#include <errno.h>

#include "owner.h"
#include "process_id.h"
#include "windows/file.h"

#define LEAD (sizeof(OWNER_RECORD_LEAD) - 1)

/* What a look into the file has told. */
struct sighting {
    bool locked; /* its first byte is */
    struct record record; /* pid 0: none */
};

static void look(int fd, struct sighting *seen)
{
    char bytes[LEAD + RECORD_SIZE + 1] = "";
    ssize_t size = flk_file_read_at(fd, bytes, sizeof(bytes), 0);
    struct record record;

    seen->locked = size == -EAGAIN;
    if (seen->locked)
        size = flk_file_read_at(fd, bytes + LEAD, sizeof(bytes) - LEAD, LEAD);
    else if (size < (ssize_t) LEAD || bytes[0] != OWNER_RECORD_LEAD[0])
        return;
    else
        size -= (ssize_t) LEAD;
    if (size > 0 && flk_record_parse(bytes + LEAD, (size_t) size, &record) == 0 && record.claim == CLAIM_OWNER &&
        flk_process_life(&record) != LIFE_DEAD)
        seen->record = record;
}

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    int fd = target->path == NULL ? target->fd
                                  : flk_file_open_to_read(target->path, (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0);
    struct sighting seen = { .locked = false };

    if (fd < 0)
        return fd != -EAGAIN ? fd : -ENOTSUP;
    look(fd, &seen);
    if (target->path != NULL)
        flk_file_close(fd);
    if (seen.record.pid != 0)
        flk_owner_from_record(&seen.record, owner);
    return seen.record.pid != 0 || (seen.locked && target->range.start == 0) ? 0 : -ENOTSUP;
}
