/* SPDX-License-Identifier: MIT
 *
 * Condition variables that are waited for until a deadline of flk_now(): where the system can.
 */
#ifndef FLK_POSIX_COND_H
#define FLK_POSIX_COND_H

#include <pthread.h>
#include <stdint.h>

#include "platform.h"

void flk_cond_init(pthread_cond_t *cond);

/* As pthread_cond_timedwait(3), with the mutex taken: 0 or an errno value. */
int flk_cond_wait_until(pthread_cond_t *cond, struct mutex *mutex, int64_t deadline);

#endif
