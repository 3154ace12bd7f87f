/* SPDX-License-Identifier: MIT
 *
 * Descriptors by which a thread wakes another thread that polls.  wakeup_posix.c uses them.
 */
#ifndef FLK_WAKEUP_FD_H
#define FLK_WAKEUP_FD_H

#include <stdbool.h>

#include "wait_types.h"

/* Opens both ends, which are close-on-exec and do not block.  Returns 0 or -errno. */
int flk_wakeup_fd_open(struct wakeup_fd *ends);

/* True if the end to poll is still the library's.  The program may have closed it, and opened a file by its number. */
bool flk_wakeup_fd_is_ours(const struct wakeup_fd *ends);

/* These do nothing to an end that is not the library's any more. */
void flk_wakeup_fd_send(const struct wakeup_fd *ends);
void flk_wakeup_fd_drain(const struct wakeup_fd *ends);
void flk_wakeup_fd_close(const struct wakeup_fd *ends);

#endif
