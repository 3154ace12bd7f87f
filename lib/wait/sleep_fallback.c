/* SPDX-License-Identifier: MIT
 *
 * No sleeping, for systems whose semaphores know the wall clock only: if that is set, the deadline is wrong.
 */
#include "config.h"

#include <errno.h>

#include "wait/sleep.h"

bool flk_sleep_open(sem_t *semaphore)
{
    (void) semaphore;
    return false;
}

void flk_sleep_close(sem_t *semaphore)
{
    (void) semaphore;
}

int flk_sleep_until(sem_t *semaphore, int64_t deadline)
{
    (void) semaphore;
    (void) deadline;
    return -ENOSYS;
}
