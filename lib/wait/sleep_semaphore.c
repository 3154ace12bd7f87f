/* SPDX-License-Identifier: MIT
 *
 * Sleeping on a semaphore with sem_clockwait(3), of POSIX.1-2024.
 */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "wait/limits.h"
#include "wait/sleep.h"

bool flk_sleep_open(sem_t *semaphore)
{
    return sem_init(semaphore, 0, 0) == 0;
}

void flk_sleep_close(sem_t *semaphore)
{
    (void) sem_destroy(semaphore);
}

int flk_sleep_until(sem_t *semaphore, int64_t deadline)
{
    struct timespec until = { (time_t) (deadline / 1000000000), (long) (deadline % 1000000000) };
    int rc;

    do
        rc = deadline == FLK_NEVER ? sem_wait(semaphore) : sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
    while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : 0;
}
