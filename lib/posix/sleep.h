/* SPDX-License-Identifier: MIT
 *
 * Sleeping until another thread posts, or a deadline on the monotonic clock: where the system can.
 */
#ifndef FLK_POSIX_SLEEP_H
#define FLK_POSIX_SLEEP_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

/* false: it cannot, and nothing was made. */
bool flk_sleep_open(sem_t *semaphore);

/* 0, -ETIMEDOUT. */
int flk_sleep_until(sem_t *semaphore, int64_t deadline);

#endif
