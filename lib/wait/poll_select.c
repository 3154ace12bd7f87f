/* SPDX-License-Identifier: MIT
 *
 * Polling by pselect(2), which checks no limit on descriptors, and takes a mask on every system.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/select.h>

#include "system/thread.h"
#include "wait/limits.h"
#include "wait/poll.h"

/* Poll interval while the number of a descriptor is too high for a set. */
#define BLIND_NS 50000000

static bool fits(const struct pollfd *fd)
{
    return fd->fd >= 0 && fd->fd < FD_SETSIZE;
}

/* Finds the descriptor that is not open, which pselect(2) refuses, and reports it as poll(2) does.  Returns 1. */
static int find_closed(struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = fits(&fds[i]) && fcntl(fds[i].fd, F_GETFD) == -1 ? POLLNVAL : 0;
    return 1;
}

int flk_poll_select(struct pollfd *fds, nfds_t count, int64_t ns, const struct signals *signals)
{
    int most = -1, n;
    struct timespec time;
    fd_set ready;

    FD_ZERO(&ready);
    for (nfds_t i = 0; i < count; i++) {
        if (fits(&fds[i]))
            FD_SET(fds[i].fd, &ready);
        else if (fds[i].fd >= 0 && ns > BLIND_NS)
            ns = BLIND_NS;
        if (fits(&fds[i]) && fds[i].fd > most)
            most = fds[i].fd;
    }
    time = (struct timespec) { .tv_sec = (time_t) (ns / 1000000000), .tv_nsec = (long) (ns % 1000000000) };
    n = pselect(most + 1, &ready, NULL, NULL, ns == FLK_NEVER ? NULL : &time, signals != NULL ? &signals->mask : NULL);
    if (n < 0)
        return errno == EBADF ? find_closed(fds, count) : n;
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = fits(&fds[i]) && FD_ISSET(fds[i].fd, &ready) ? POLLIN : 0;
    return n;
}
