/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, of whom Windows tells nothing: only a record that they write themselves does.
 */
#include "config.h"

#include <errno.h>

#include "owner.h"
#include "process_id.h"
#include "windows/file.h"

static int read_record(int fd, struct record *record)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read_at(fd, bytes, sizeof(bytes), sizeof(OWNER_RECORD_LEAD) - 1);

    if (size <= 0 || flk_record_parse(bytes, (size_t) size, record) != 0 || record->claim != CLAIM_OWNER)
        return -ENOTSUP;
    return flk_process_life(record) != LIFE_DEAD ? 0 : -ENOTSUP;
}

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    int fd = target->path == NULL ? target->fd
                                  : flk_file_open_to_read(target->path, (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0);
    struct record record;
    int rc;

    if (fd < 0)
        return fd != -EAGAIN ? fd : -ENOTSUP;
    rc = read_record(fd, &record);
    if (target->path != NULL)
        flk_file_close(fd);
    if (rc == 0)
        flk_owner_from_record(&record, owner);
    return rc;
}
