/* SPDX-License-Identifier: MIT
 *
 * Naps between tries.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "retry.h"

#define NAP_MOST 50000000 /* ns */

/* Half of the nap to all of it: waiters that began together do not come back together. */
int64_t flk_next_nap(struct wakeup *wakeup)
{
    int64_t nap = wakeup->nap, half = nap / 2;

    wakeup->nap = nap < NAP_MOST / 2 ? nap * 2 : NAP_MOST;
    return half + (flk_now() ^ (int64_t) ((uintptr_t) wakeup >> 4)) % half;
}

int flk_retry(int (*call)(void *arg), void *arg, const struct limits *limits)
{
    struct wakeup wakeup;
    int rc;

    flk_wakeup_open_napping(&wakeup);
    do
        rc = call(arg);
    while (rc == FLK_CONTENDED && (rc = flk_wakeup_wait(&wakeup, limits)) == 0);
    flk_wakeup_close(&wakeup);
    if (rc != -ETIMEDOUT)
        return rc;
    rc = call(arg);
    return rc == FLK_CONTENDED ? -ETIMEDOUT : rc;
}
