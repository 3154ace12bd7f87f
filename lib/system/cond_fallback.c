/* SPDX-License-Identifier: MIT
 *
 * Condition variables of systems where they know the wall clock only.  If that clock is set during a wait, the wait
 * becomes longer or shorter.
 */
#include "config.h"

#include <time.h>

#include "system/clock.h"
#include "system/cond.h"
#include "system/thread.h"

void flk_cond_init(pthread_cond_t *cond)
{
    (void) pthread_cond_init(cond, NULL);
}

int flk_cond_wait_until(pthread_cond_t *cond, struct mutex *mutex, int64_t deadline)
{
    int64_t left = deadline - flk_now();
    struct timespec until;

    if (left < 0)
        left = 0;
    (void) clock_gettime(CLOCK_REALTIME, &until);
    left += until.tv_nsec;
    until.tv_sec += (time_t) (left / 1000000000);
    until.tv_nsec = (long) (left % 1000000000);
    return pthread_cond_timedwait(cond, &mutex->native, &until);
}
