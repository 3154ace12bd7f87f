/* SPDX-License-Identifier: MIT
 *
 * Sleeping on a semaphore until another thread posts, or until a deadline on the monotonic clock.  Not every system
 * can do that.
 */
#ifndef FLK_SLEEP_H
#define FLK_SLEEP_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes the semaphore.  False if the system cannot do that, and then nothing was made. */
bool flk_sleep_open(sem_t *semaphore);

void flk_sleep_close(sem_t *semaphore);

/* Returns 0 after a post, or -ETIMEDOUT. */
int flk_sleep_until(sem_t *semaphore, int64_t deadline);

#endif
