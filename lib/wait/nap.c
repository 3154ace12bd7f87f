/* SPDX-License-Identifier: MIT
 *
 * Naps that grow, with jitter.
 */
#include "config.h"

#include "system/clock.h"
#include "wait/nap.h"

#define MAX_NAP 50000000 /* ns: the longest poll interval */

/* Returns half of the nap to all of it, so that waiters that began together do not come back together. */
int64_t flk_next_nap(int64_t *nap)
{
    int64_t now = *nap, half = now / 2;

    *nap = now < MAX_NAP / 2 ? now * 2 : MAX_NAP;
    return half + (flk_now() ^ (int64_t) ((uintptr_t) nap >> 4)) % half;
}
