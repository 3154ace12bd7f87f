/* SPDX-License-Identifier: MIT
 *
 * Publishing markers and taking them over, on Windows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "outcome.h"
#include "soft/marker.h"
#include "soft/marker_file.h"
#include "soft/stale.h"
#include "system/file.h"
#include "system/file_windows.h"
#include "system/path_windows.h"
#include "wait/limits.h"

/* Give up after making the parent directory this many times: another process keeps removing it. */
#define MAX_RACES 100

/* ---- Publishing ----------------------------------------------------------------------------- */

/*
 * Creates the marker and writes it while no other process can open it.  So no process finds half a record.  What a
 * crash leaves is not open in any process.  Returns 0 or -errno; -EEXIST: there is a marker.
 */
static int create(const wchar_t *wide, const char *bytes, size_t size, struct identity *id)
{
    const struct opening_way way = { GENERIC_WRITE | DELETE, 0, CREATE_NEW, false };
    int fd = flk_file_open_way(wide, &way), rc;

    if (fd < 0)
        return fd == -EAGAIN || fd == -EISDIR ? -EEXIST : fd; /* a marker that is about to be deleted is still there */
    rc = flk_file_identity(fd, id);
    if (rc == 0)
        rc = flk_file_write_all(fd, bytes, size, 0);
    if (rc != 0)
        (void) flk_file_dispose(fd, wide);
    flk_file_close(fd);
    return rc;
}

/*
 * Opens the marker for as long as the lock is held, shared so that other processes can look at it and break it.
 * Returns the number of the open file, or -errno; -EEXIST: the marker is gone, or the path names another.
 */
static int open_again(const wchar_t *wide, const struct identity *id)
{
    const struct opening_way way = { GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING, false };
    struct identity found;
    int64_t until = 0;
    int fd;

    do
        fd = flk_file_open_way(wide, &way);
    while ((fd == -EAGAIN || fd == -EACCES) && flk_file_patience(&until));
    if (fd < 0)
        return fd == -ENOENT ? -EEXIST : fd;
    if (flk_file_identity(fd, &found) == 0 && flk_file_same(&found, id))
        return fd;
    flk_file_close(fd);
    return -EEXIST; /* the marker was broken meanwhile, and another contender has published its own */
}

/* Publishes a marker.  Returns the number of the open file, or -errno. */
static int publish(const wchar_t *wide, const char *bytes, size_t size)
{
    struct identity id;
    int rc = create(wide, bytes, size, &id);

    if (rc != 0)
        return rc;
    rc = open_again(wide, &id);
    if (rc < 0 && rc != -EEXIST)
        (void) flk_file_remove_patiently(wide, false, &id);
    return rc == -EAGAIN ? -EEXIST : rc; /* -EAGAIN: another process has it open, and does not share it */
}

int flk_marker_publish(const char *path, unsigned mode, bool make_parents, const char *bytes, size_t size, int *fd)
{
    int64_t until = 0;
    int races = 0, rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    (void) mode;
    if (wide == NULL)
        return rc;
    for (;;) {
        rc = publish(wide, bytes, size);
        if (rc == -ENOENT && make_parents && races++ < MAX_RACES && (rc = flk_path_make_parents(wide)) == 0)
            continue;
        if (rc != -EACCES || !flk_file_patience(&until))
            break;
    }
    free(wide);
    if (rc < 0)
        return rc;
    *fd = rc;
    return 0;
}

/* ---- Breaking ------------------------------------------------------------------------------- */

/* Locks no marker: processes do not fork here, so only its holder has a marker open for writing. */
int flk_marker_lock(int fd)
{
    (void) fd;
    return -ENOTSUP;
}

void flk_marker_unlock(int fd)
{
    (void) fd;
}

/* Never called to any effect: processes do not fork here. */
int flk_marker_release_shared(const char *path, const struct identity *id, int64_t last_forker, bool for_good, int *fd)
{
    (void) path;
    (void) id;
    (void) last_forker;
    (void) for_good;
    (void) fd;
    return -ENOTSUP;
}

/* Removes the marker if it still has this version.  That is done by its handle, so no other file can be removed. */
static int remove_version(const wchar_t *wide, const struct file_version *version)
{
    int fd = flk_file_open_to_remove(wide, false), rc;
    struct file_version found;

    if (fd < 0)
        return fd;
    rc = flk_file_version(fd, &found);
    if (rc == 0)
        rc = flk_file_same_version(&found, version) ? flk_file_dispose(fd, wide) : -ENOENT;
    flk_file_close(fd);
    return rc;
}

/*
 * Removes the marker; after that any contender may publish.  A process that has the marker open and does not let it be
 * deleted may be at work on it: CONTENDED.
 */
enum outcome flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
                                  struct suspicion *suspicion, int *fd)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    (void) draft;
    (void) suspicion;
    (void) fd;
    if (wide == NULL)
        return rc;
    rc = remove_version(wide, &stale->version);
    free(wide);
    if (rc == -EAGAIN || rc == -EACCES)
        return CONTENDED;
    return rc == 0 || flk_marker_vanished(rc) ? AGAIN : rc;
}

/* Does not wait: there are no breakers of other rules, as Python's filelock breaks no markers on Windows. */
enum outcome flk_marker_outlast(const char *path, const struct identity *own, const struct limits *limits)
{
    (void) path;
    (void) own;
    (void) limits;
    return TAKEN;
}

int flk_marker_break(const char *path, const struct draft *draft)
{
    struct identity id;
    struct marker marker;
    bool seen = flk_file_path_identity(path, false, &id) == 0;
    int rc = flk_marker_look(path, &marker);

    (void) draft;
    flk_marker_leave(&marker);
    if (rc == -EEXIST)
        return rc;
    rc = flk_file_remove(path, false);
    flk_marker_tidy(path);
    return seen && rc == -ENOENT ? 0 : rc; /* another process has removed it meanwhile */
}

void flk_marker_tidy(const char *path)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    if (wide != NULL)
        flk_file_tidy(wide);
    free(wide);
}
