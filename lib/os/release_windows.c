/* SPDX-License-Identifier: MIT
 *
 * Releases that do more than unlock.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kind.h"
#include "os/os_file.h"
#include "os/os_kind.h"
#include "os/release.h"
#include "system/file.h"
#include "system/file_windows.h"
#include "system/path_windows.h"

/* True if it is this file, and not locked.  A process that lets others delete its open file may have locked it. */
static bool is_unused(const struct target *target, int fd, const struct identity *id)
{
    struct identity found;

    return flk_file_identity(fd, &found) == 0 && flk_file_same(&found, id) &&
           flk_backend_of(target)->try(fd, &target->range, FILELOCK_EXCLUSIVE) == 0;
}

static void remove_unused(const struct target *target, const struct os_lock *os)
{
    const struct opening_way way = { GENERIC_READ | DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE, OPEN_EXISTING,
                                     flk_target_follows(target) };
    int rc;
    wchar_t *wide = flk_path_wide(flk_os_file_path(target, os), &rc);
    int fd = wide != NULL ? flk_file_open_way(wide, &way) : -1;

    if (fd >= 0) {
        if (is_unused(target, fd, &os->id))
            (void) flk_file_dispose(fd, wide);
        flk_file_close(fd);
    }
    free(wide);
}

/*
 * Removes the file if it can be opened for deletion.  A process that uses the file by this library has it open in a way
 * that lets no other process delete it.  So a file that can be deleted is not in use, unless it is locked.  A file that
 * cannot be deleted is left to the last process that uses it.
 */
int flk_os_lock_release_and_remove(const struct target *target, struct os_lock *os)
{
    int rc = flk_backend_of(target)->unlock(os->fd, &target->range);

    if (rc != 0)
        return rc;
    flk_os_file_forget(os);
    remove_unused(target, os);
    return 0;
}

/* Returns -ENOTSUP: no process forks here. */
int flk_os_lock_release_shared(const struct target *target, struct os_lock *os)
{
    (void) target;
    (void) os;
    return -ENOTSUP;
}
