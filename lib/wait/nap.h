/* SPDX-License-Identifier: MIT
 *
 * Lengths of naps, for waits in which nothing tells when to look again.
 */
#ifndef FLK_NAP_H
#define FLK_NAP_H

#include <stdint.h>

#define FLK_FIRST_NAP 1000000 /* ns: the poll interval with which a wait begins */

/* Returns how long to nap now, and makes the next nap longer, up to 50 ms.  *nap: FLK_FIRST_NAP at first. */
int64_t flk_next_nap(int64_t *nap);

#endif
