/* SPDX-License-Identifier: MIT
 *
 * Releases that are more than an unlock.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "backend.h"
#include "os_lock.h"
#include "windows/file.h"
#include "windows/path.h"

/* Whoever lets others delete what he has open may have it locked all the same. */
static bool is_unused(const struct target *target, int fd, const struct identity *id)
{
    struct identity found;

    return flk_file_identity(fd, &found) == 0 && flk_file_same(&found, id) &&
           target->kind->backend->try(fd, &target->range, FILELOCK_EXCLUSIVE) == 0;
}

static void remove_unused(const struct target *target, const struct identity *id)
{
    const struct opening_way way = { GENERIC_READ | DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                                     (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0 };
    int rc;
    wchar_t *wide = flk_path_wide(target->path, &rc);
    int fd = wide != NULL ? flk_file_open_way(wide, &way) : -1;

    if (fd >= 0) {
        if (is_unused(target, fd, id))
            (void) flk_file_dispose(fd, wide);
        flk_file_close(fd);
    }
    free(wide);
}

/*
 * Whoever uses the file by this library has it open, and not for others to delete: what can be deleted is in
 * nobody's use, unless it is locked, and what cannot is left to the last of those who use it.
 */
int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os)
{
    int rc = target->kind->backend->unlock(os->fd, &target->range);
    struct identity id = os->id;

    if (rc != 0)
        return rc;
    flk_os_lock_forget(os);
    remove_unused(target, &id);
    return 0;
}

/* Nothing forks here. */
int flk_os_lock_release_shared(const struct target *target, struct os_lock *os)
{
    (void) target;
    (void) os;
    return -ENOTSUP;
}
