/* SPDX-License-Identifier: MIT
 *
 * Condition variables on the monotonic clock, which cannot be set.
 */
#include "config.h"

#include <time.h>

#include "system/cond.h"
#include "system/thread.h"

void flk_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;

    (void) pthread_condattr_init(&attributes);
    (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void) pthread_cond_init(cond, &attributes);
    (void) pthread_condattr_destroy(&attributes);
}

int flk_cond_wait_until(pthread_cond_t *cond, struct mutex *mutex, int64_t deadline)
{
    struct timespec until = { (time_t) (deadline / 1000000000), (long) (deadline % 1000000000) };

    return pthread_cond_timedwait(cond, &mutex->native, &until);
}
