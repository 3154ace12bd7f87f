/* SPDX-License-Identifier: MIT
 *
 * The descriptors of the crowd, for the thread that polls them.
 */
#ifndef FLK_CROWD_POLL_H
#define FLK_CROWD_POLL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* Returns how many descriptors flk_crowd_fill() fills in at most. */
size_t flk_crowd_count(void);

/* Fills in the descriptors to poll.  Returns how many.  *until: made earlier, if the crowd rests from polling. */
size_t flk_crowd_fill(struct pollfd *fds, int64_t *until);

/* Takes what poll(2) found, and tells the places.  fds: as flk_crowd_fill() filled them in. */
void flk_crowd_read(const struct pollfd *fds, size_t count);

#endif
