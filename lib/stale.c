/* SPDX-License-Identifier: MIT
 *
 * Looking at markers.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "process_id.h"
#include "stale.h"

#define GRACE 2000000000 /* ns */

/* ---- Looking -------------------------------------------------------------------------------- */

/* What there is but cannot be read is somebody's. */
static bool unreadable(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ENXIO || rc == -ENODEV || rc == -EAGAIN;
}

bool flk_marker_vanished(int rc)
{
    return rc == -ENOENT || rc == -ESTALE;
}

static int judge(struct marker *marker)
{
    const struct record *record = &marker->record;

    if (record->claim == CLAIM_FOR_EVER)
        return VERDICT_HELD;
    if (record->pid == 0) {
        marker->grace = GRACE;
        return VERDICT_UNCLEAR;
    }
    if (marker->local && !marker->alive && flk_process_life_here(record) == LIFE_DEAD)
        return VERDICT_STALE;
    if (record->lease == 0)
        return VERDICT_HELD;
    marker->grace = record->lease > GRACE ? record->lease : GRACE;
    return VERDICT_UNCLEAR;
}

int flk_marker_judge(struct marker *marker)
{
    if (marker->verdict == VERDICT_OPEN)
        marker->verdict = judge(marker);
    return marker->verdict;
}

static int read_inside(struct marker *marker)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read_version(marker->fd, &marker->version, bytes, sizeof(bytes));

    marker->record = (struct record) { .pid = 0 };
    if (size < 0)
        return flk_marker_vanished((int) size) ? VERDICT_GONE : (int) size;
    if (!marker->version.regular)
        return marker->version.directory ? -EISDIR : VERDICT_HELD;
    (void) flk_record_parse(bytes, (size_t) size, &marker->record);
    marker->local = marker->record.pid != 0 && flk_process_local(&marker->record);
    return VERDICT_OPEN;
}

int flk_marker_look_inside(struct marker *marker)
{
    marker->verdict = read_inside(marker);
    return flk_marker_judge(marker);
}

void flk_marker_read(const char *path, struct marker *marker)
{
    int fd = flk_file_open_to_read(path, false);

    *marker = (struct marker) { .fd = fd >= 0 ? fd : -1 };
    if (fd >= 0)
        marker->verdict = read_inside(marker);
    else
        marker->verdict = flk_marker_vanished(fd) ? VERDICT_GONE : unreadable(fd) ? VERDICT_HELD : fd;
}

int flk_marker_look(const char *path, struct marker *marker)
{
    flk_marker_read(path, marker);
    return flk_marker_judge(marker);
}

void flk_marker_leave(struct marker *marker)
{
    if (marker->fd >= 0)
        flk_file_close(marker->fd);
    marker->fd = -1;
}

int flk_marker_suspect(struct suspicion *suspicion, const struct marker *marker, int64_t *left)
{
    int64_t now = flk_now();
    int written;

    if (suspicion->since == 0 || !flk_file_same_version(&suspicion->version, &marker->version)) {
        suspicion->version = marker->version;
        suspicion->since = now;
    }
    *left = suspicion->since + marker->grace - now;
    if (*left > 0)
        return VERDICT_UNCLEAR;
    written = flk_file_is_written(&marker->version.id);
    if (written <= 0)
        return written < 0 ? written : VERDICT_STALE;
    /* A holder that writes no record still has the file open; it gets as long again. */
    suspicion->since = now;
    *left = marker->grace;
    return VERDICT_UNCLEAR;
}
