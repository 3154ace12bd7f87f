/* SPDX-License-Identifier: MIT
 *
 * Where semaphores know the wall clock only, whose jumps no deadline survives.
 */
#include "config.h"

#include <errno.h>

#include "posix/sleep.h"

bool flk_sleep_open(sem_t *semaphore)
{
    (void) semaphore;
    return false;
}

int flk_sleep_until(sem_t *semaphore, int64_t deadline)
{
    (void) semaphore;
    (void) deadline;
    return -ENOSYS;
}
