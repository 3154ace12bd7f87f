/* SPDX-License-Identifier: MIT
 *
 * Taking back a signal by sigwait(3), for systems without sigtimedwait(2).  sigwait(3) waits unless a signal is
 * pending, so that is checked before.
 */
#include "config.h"

#include <stdbool.h>

#include "system/pending.h"

void flk_pending_take(const sigset_t *set)
{
    sigset_t pending;
    bool any = false;
    int taken;

    if (sigpending(&pending) != 0)
        return;
    for (int signal = 1; signal < NSIG && !any; signal++)
        any = sigismember(set, signal) == 1 && sigismember(&pending, signal) == 1;
    if (any)
        (void) sigwait(set, &taken);
}
