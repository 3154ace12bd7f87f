/* SPDX-License-Identifier: MIT
 *
 * The guard of Windows, where no process forks.
 */
#include "config.h"

#include "system/file.h"
#include "system/guard.h"
#include "system/thread.h"

static struct mutex guard = MUTEX_INIT;

void flk_guard_lock(void)
{
    flk_mutex_lock(&guard);
}

void flk_guard_unlock(void)
{
    flk_mutex_unlock(&guard);
}

void flk_guard_unlock_closing(int fd, const struct identity *id)
{
    (void) id;
    flk_guard_unlock();
    flk_file_close(fd);
}

/* Does nothing: no process forks here, and a handle is not inherited unless the program asks for that. */
unsigned flk_open_begin(void)
{
    return 0;
}

bool flk_open_commit(unsigned epoch)
{
    (void) epoch;
    flk_guard_lock();
    return true;
}

void flk_fork_hold(void)
{
}

void flk_fork_release(void)
{
}
