/* SPDX-License-Identifier: MIT
 *
 * Condition variables, waited for until a deadline of flk_now().  Not every system has them on that clock.
 */
#ifndef FLK_COND_H
#define FLK_COND_H

#include <pthread.h>
#include <stdint.h>

#include "system/thread.h"

void flk_cond_init(pthread_cond_t *cond);

/* Caller holds the mutex.  Waits as pthread_cond_timedwait(3) does.  Returns 0 or an errno value. */
int flk_cond_wait_until(pthread_cond_t *cond, struct mutex *mutex, int64_t deadline);

#endif
