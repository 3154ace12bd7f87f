/* SPDX-License-Identifier: MIT
 *
 * Descriptors by which one thread wakes another that polls, and the poll: what wakeup.c is made of.
 */
#ifndef FLK_POSIX_WAKEUP_FD_H
#define FLK_POSIX_WAKEUP_FD_H

#include <poll.h>
#include <stdint.h>

#include "deadline.h"

/* fd[0] is polled, fd[1] written; both close-on-exec, neither blocks.  0 or -errno. */
int flk_wakeup_fd_open(int fd[2]);
void flk_wakeup_fd_send(const int fd[2]);
void flk_wakeup_fd_drain(const int fd[2]);

/*
 * Polls until one of the descriptors is ready (1), until flk_now() says so (0), or within limits
 * (-ETIMEDOUT, -ECANCELED, -EINTR, -EINVAL).  The last one is for the caller's cancel descriptor.
 */
int flk_poll_within(struct pollfd *fds, nfds_t count, const struct limits *limits, int64_t until);

/* The time in so many ns, 0 or more; FLK_NEVER after FLK_NEVER. */
int64_t flk_after(int64_t ns);

/* poll(2) for at most so many nanoseconds (FLK_NEVER: without end), maybe for less. */
int flk_poll(struct pollfd *fds, nfds_t count, int64_t ns);

#endif
