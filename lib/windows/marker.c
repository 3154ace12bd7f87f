/* SPDX-License-Identifier: MIT
 *
 * Markers made, and taken over.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kind.h"
#include "stale.h"
#include "windows/error.h"
#include "windows/file.h"
#include "windows/path.h"

/* Rounds of making directories that somebody else removes. */
#define RACES_MOST 100

/* ---- Publishing ----------------------------------------------------------------------------- */

/*
 * Creates the marker and writes it while nobody else can open it, so that nobody ever finds half a record, and what
 * a crash leaves of one is nobody's.
 */
static int create(const wchar_t *wide, const char *bytes, size_t size, struct identity *id)
{
    const struct opening_way way = { GENERIC_WRITE | DELETE, 0, CREATE_NEW, false };
    int fd = flk_file_open_way(wide, &way), rc;

    if (fd < 0)
        return fd == -EAGAIN || fd == -EISDIR ? -EEXIST : fd; /* one that is about to go is still there */
    rc = flk_file_identity(fd, id);
    if (rc == 0)
        rc = flk_file_write_all(fd, bytes, size, 0);
    if (rc != 0)
        (void) flk_file_dispose(fd, wide);
    flk_file_close(fd);
    return rc;
}

/* Others may look at it now, and break it: it is to be open until it is released. */
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
    return -EEXIST; /* broken meanwhile, and another's by now */
}

/* The number, or -errno. */
static int publish(const wchar_t *wide, const char *bytes, size_t size)
{
    struct identity id;
    int rc = create(wide, bytes, size, &id);

    if (rc != 0)
        return rc;
    rc = open_again(wide, &id);
    if (rc < 0 && rc != -EEXIST)
        (void) flk_file_remove_patiently(wide, false, &id);
    return rc == -EAGAIN ? -EEXIST : rc; /* somebody keeps it to himself */
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
        if (rc == -ENOENT && make_parents && races++ < RACES_MOST && (rc = flk_path_make_parents(wide)) == 0)
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

/* Nothing forks here: nobody else has the marker of a living holder open to write to it. */
int flk_marker_lock(int fd)
{
    (void) fd;
    return -ENOTSUP;
}

void flk_marker_unlock(int fd)
{
    (void) fd;
}

/* Nothing forks here. */
int flk_marker_part(const char *path, const struct identity *id, int64_t sharer, bool for_good, int *fd)
{
    (void) path;
    (void) id;
    (void) sharer;
    (void) for_good;
    (void) fd;
    return -ENOTSUP;
}

/* By its handle, for which no other file can be mistaken. */
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

/* The path is anybody's then.  Whoever has the marker open and does not let it be deleted may be at work on it. */
int flk_marker_take_over(const char *path, const struct marker *stale, const struct draft *draft,
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
        return FLK_CONTENDED;
    return rc < 0 && flk_marker_vanished(rc) ? 0 : rc;
}

int flk_marker_break(const char *path, const struct draft *draft)
{
    struct identity id;
    bool seen = flk_file_path_identity(path, false, &id) == 0;
    int rc = flk_file_remove(path, false);

    (void) draft;
    flk_marker_tidy(path);
    return seen && rc == -ENOENT ? 0 : rc; /* somebody else was as fast */
}

void flk_marker_tidy(const char *path)
{
    int rc;
    wchar_t *wide = flk_path_wide(path, &rc);

    if (wide != NULL)
        flk_file_tidy(wide);
    free(wide);
}
