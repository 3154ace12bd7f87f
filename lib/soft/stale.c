/* SPDX-License-Identifier: MIT
 *
 * Looking at markers, and judging them.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "owner/ask.h"
#include "owner/life.h"
#include "owner/process_id.h"
#include "owner/record.h"
#include "owner/writers.h"
#include "soft/stale.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/remote.h"

/* A marker that is judged by its age must stand unchanged for at least this long: its maker may be about to write. */
#define GRACE 2000000000 /* ns */

/* Pause after a search for writers for this many times as long as it took: a search of all processes is costly. */
#define SEARCH_SHARE 100
/* Pause after a search for writers for at least this long, and for GRACE at most. */
#define SEARCH_PAUSE_LEAST 50000000 /* ns */

/* ---- Looking -------------------------------------------------------------------------------- */

/* True if the error means that there is a marker, which cannot be opened.  Such a marker counts as held. */
static bool unreadable(int rc)
{
    return rc == -EACCES || rc == -EPERM || rc == -ENXIO || rc == -ENODEV || rc == -EAGAIN;
}

bool flk_marker_vanished(int rc)
{
    return rc == -ENOENT || rc == -ESTALE;
}

static bool is_dead(struct marker *marker)
{
    int64_t pid;
    enum life life = flk_process_find(&marker->record, &pid);

    marker->elsewhere = life == LIFE_ALIVE && pid != marker->record.pid;
    return life == LIFE_DEAD;
}

static int judge(struct marker *marker)
{
    const struct record *record = &marker->record;

    if (record->claim == CLAIM_FOR_EVER || record->claim == CLAIM_UNKNOWN)
        return VERDICT_HELD;
    if (record->pid == 0) {
        marker->grace = GRACE;
        return VERDICT_UNCLEAR;
    }
    if (marker->local && !marker->alive && is_dead(marker))
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

/* Adds this host to a record that is a pid alone, unless other hosts share the file system. */
static void add_own_host(struct marker *marker)
{
    struct record self;

    if (marker->record.claim != CLAIM_PROCESS || flk_file_is_remote(marker->fd))
        return;
    flk_process_self(&self);
    memcpy(marker->record.host, self.host, sizeof(self.host));
}

/* Makes a number of the bytes (FNV-1a), which tells other bytes apart unless somebody takes pains to be mistaken. */
static uint64_t number_of(const char *bytes, size_t size)
{
    uint64_t number = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        number = (number ^ (unsigned char) bytes[i]) * UINT64_C(0x100000001b3);
    return number;
}

bool flk_marker_same(const struct marker *a, const struct marker *b)
{
    return flk_file_same_version(&a->version, &b->version) && a->contents == b->contents;
}

static int read_inside(struct marker *marker)
{
    char bytes[RECORD_SIZE + 1];
    ssize_t size = flk_file_read_version(marker->fd, &marker->version, bytes, sizeof(bytes));

    marker->record = (struct record) { .pid = 0 };
    marker->local = false;
    if (size < 0)
        return flk_marker_vanished((int) size) ? VERDICT_GONE : (int) size;
    if (!marker->version.regular)
        return marker->version.directory ? -EISDIR : VERDICT_HELD;
    marker->contents = number_of(bytes, (size_t) size);
    if (flk_record_read(bytes, (size_t) size, &marker->record) == READING_UNKNOWN)
        return -EEXIST;
    add_own_host(marker);
    marker->local = marker->record.pid != 0 && flk_process_local(&marker->record);
    return VERDICT_OPEN;
}

int flk_marker_look_inside(struct marker *marker)
{
    marker->verdict = read_inside(marker);
    return flk_marker_judge(marker);
}

static void read_opened(int fd, struct marker *marker)
{
    *marker = (struct marker) { .fd = fd >= 0 ? fd : -1 };
    if (fd >= 0)
        marker->verdict = read_inside(marker);
    else
        marker->verdict = flk_marker_vanished(fd) ? VERDICT_GONE : unreadable(fd) ? VERDICT_HELD : fd;
}

void flk_marker_read(const char *path, struct marker *marker)
{
    read_opened(flk_file_open_to_read(path, false), marker);
}

/* Returns HELD if the program's own descriptor is open for writing only, because the record cannot be read by it. */
int flk_marker_ask(const char *path, struct marker *marker)
{
    bool borrowed;
    int fd = flk_file_open_to_ask(path, false, &borrowed);

    read_opened(fd, marker);
    marker->borrowed = borrowed;
    if (borrowed && marker->verdict == -EBADF)
        marker->verdict = VERDICT_HELD;
    return flk_marker_judge(marker);
}

int flk_marker_look(const char *path, struct marker *marker)
{
    flk_marker_read(path, marker);
    return flk_marker_judge(marker);
}

void flk_marker_leave(struct marker *marker)
{
    if (marker->fd >= 0 && !marker->borrowed)
        flk_file_close(marker->fd);
    marker->fd = -1;
}

/* ---- Suspicion ------------------------------------------------------------------------------ */

/*
 * Closes the descriptor only if it is still the marker's.  A program that closes all of its descriptors may have opened
 * another file that got this number.
 */
void flk_suspicion_end(struct suspicion *suspicion)
{
    struct identity id;
    bool open = suspicion->since != 0 && suspicion->fd >= 0;

    if (suspicion->since == 0)
        return;
    suspicion->since = 0;
    if (open && flk_file_identity(suspicion->fd, &id) == 0 && flk_file_same(&id, &suspicion->version.id))
        flk_file_close(suspicion->fd);
}

static bool is_suspected(const struct suspicion *suspicion, const struct marker *marker)
{
    struct identity id;

    if (suspicion->since == 0 || suspicion->contents != marker->contents ||
        !flk_file_same_version(&suspicion->version, &marker->version))
        return false;
    return suspicion->fd < 0 || (flk_file_identity(suspicion->fd, &id) == 0 && flk_file_same(&id, &marker->version.id));
}

/* Begins a suspicion.  Keeps the marker's file open if needed: while it is open, no other file can get its number. */
static void begin_suspicion(struct suspicion *suspicion, struct marker *marker, int64_t now)
{
    bool keep = flk_file_numbers_recur() && flk_file_is_smb(marker->fd) <= 0; /* a removed marker must lose its name */

    flk_suspicion_end(suspicion);
    suspicion->version = marker->version;
    suspicion->contents = marker->contents;
    suspicion->fd = keep ? marker->fd : -1;
    suspicion->since = now;
    if (keep)
        marker->fd = -1;
}

/*
 * Decides about a marker without a record, on a file system that no other host shares, by a search for writers.  The
 * maker of such a marker has it open as long as it holds the lock.  Returns as flk_marker_expire() does.
 */
static int search_for_writers(struct suspicion *suspicion, const struct marker *marker, int64_t *left)
{
    int64_t began = flk_now(), now, pause;
    int writers;

    *left = suspicion->next - began;
    if (*left > 0)
        return VERDICT_UNCLEAR;
    writers = flk_file_writers(marker->fd, &marker->version.id);
    if (writers == WRITERS_NONE)
        return VERDICT_STALE;
    now = flk_now();
    pause = (now - began) * SEARCH_SHARE;
    *left = pause < SEARCH_PAUSE_LEAST ? SEARCH_PAUSE_LEAST : pause < GRACE ? pause : GRACE;
    suspicion->next = now + *left;
    return writers < 0 ? writers : VERDICT_UNCLEAR;
}

/* Look at a lease this many times in its duration: else a renewal after a look would make the wait twice as long. */
#define LEASE_LOOKS 4

int flk_marker_expire(struct suspicion *suspicion, struct marker *marker, int64_t *left)
{
    int64_t now = flk_now();
    int writers;

    if (!is_suspected(suspicion, marker))
        begin_suspicion(suspicion, marker, now);
    *left = suspicion->since + marker->grace - now;
    if (*left > 0 && flk_marker_is_lease(marker) && *left > marker->grace / LEASE_LOOKS)
        *left = marker->grace / LEASE_LOOKS;
    if (*left > 0)
        return VERDICT_UNCLEAR;
    if (flk_marker_is_lease(marker))
        return VERDICT_STALE;
    writers = flk_file_writers(marker->fd, &marker->version.id);
    if (writers < 0)
        return writers;
    if (writers != WRITERS_SEEN)
        return VERDICT_STALE;
    suspicion->since = now; /* a process has it open for writing: the grace begins again */
    *left = marker->grace;
    return VERDICT_UNCLEAR;
}

int flk_marker_suspect(struct suspicion *suspicion, struct marker *marker, int64_t *left)
{
    bool elsewhere = marker->record.pid != 0 || flk_file_is_remote(marker->fd);

    return elsewhere ? flk_marker_expire(suspicion, marker, left) : search_for_writers(suspicion, marker, left);
}
