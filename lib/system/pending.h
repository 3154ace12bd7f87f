/* SPDX-License-Identifier: MIT
 *
 * Taking back a signal that is blocked and pending.
 */
#ifndef FLK_PENDING_H
#define FLK_PENDING_H

#include <signal.h>

/* Caller has the signals of the set blocked.  Consumes a signal of the set if any is pending. */
void flk_pending_take(const sigset_t *set);

#endif
