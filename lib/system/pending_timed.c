/* SPDX-License-Identifier: MIT
 *
 * Taking back a signal by sigtimedwait(2), which never waits here.
 */
#include "config.h"

#include <errno.h>
#include <time.h>

#include "system/pending.h"

void flk_pending_take(const sigset_t *set)
{
    const struct timespec none = { 0, 0 };

    while (sigtimedwait(set, NULL, &none) < 0 && errno == EINTR)
        ;
}
