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

static void remove_unused(const struct target *target, const struct identity *id)
{
    int rc;
    wchar_t *wide = flk_path_wide(target->path, &rc);

    if (wide != NULL)
        (void) flk_file_remove_now(wide, (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0, id);
    free(wide);
}

/*
 * Whoever uses the file has it open, and not for others to delete: what can be deleted is in nobody's use, and what
 * cannot is left to the last of those who use it.
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
