/* SPDX-License-Identifier: MIT
 *
 * Polling descriptors within limits.
 */
#ifndef FLK_POLL_H
#define FLK_POLL_H

#include <poll.h>
#include <stdint.h>

#include "system/thread.h"
#include "wait/limits.h"

/*
 * Polls within limits until a descriptor is ready.  Sets the last entry of fds to the caller's cancel descriptor.
 *   1                               a descriptor before the last is ready
 *   0                               flk_now() has reached `until`
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EINVAL                         the cancel descriptor is not open
 */
int flk_poll_within(struct pollfd *fds, nfds_t count, const struct limits *limits, int64_t until);

/*
 * Polls as poll(2) does, for at most ns nanoseconds (FLK_NEVER: without end), maybe for less.  Signals that are held
 * back are let through meanwhile.  signals: as in struct limits.
 */
int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns, const struct signals *signals);

/* Polls as flk_poll() does, by pselect(2), where poll(2) or ppoll(2) will not do. */
int flk_poll_select(struct pollfd *fds, nfds_t count, int64_t ns, const struct signals *signals);

#endif
