/* SPDX-License-Identifier: MIT
 *
 * Locks that are held for a scope, or for a function.
 */
#include "config.h"

#include <errno.h>

#include <filelock.h>

#include "handle/handle.h"

int filelock_with(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms, int (*body)(void *arg), void *arg)
{
    int rc, released;

    if (body == NULL)
        return -EINVAL;
    rc = filelock_acquire(lock, mode, timeout_ms);
    if (rc != 0)
        return rc;
    rc = body(arg);
    released = filelock_release(lock);
    return rc != 0 ? rc : released;
}

void filelock_auto_release(struct filelock **lock)
{
    if (*lock != NULL && filelock_held(*lock))
        (void) filelock_release(*lock);
}

void filelock_auto_free(struct filelock **lock)
{
    filelock_free(*lock);
}
