/* SPDX-License-Identifier: MIT
 *
 * Marks on kernel queues (kqueue(2)): an event of the library's own, which nothing triggers and no program can have.  A
 * forked child has no copy of a queue, and so finds no mark.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/event.h>
#include <unistd.h>

#include "system/file_posix.h"
#include "system/mark.h"

static char mark; /* its address is the number of the event */

static bool change_mark(int fd, unsigned short flags)
{
    struct kevent change = { .ident = (uintptr_t) &mark, .filter = EVFILT_USER, .flags = flags };

    return kevent(fd, &change, 1, NULL, 0, NULL) == 0;
}

int flk_mark(int fd)
{
    int error;

    fd = flk_file_above_standard(fd);
    if (fd < 0 || change_mark(fd, EV_ADD | EV_CLEAR))
        return fd;
    error = errno;
    (void) close(fd);
    errno = error;
    return -1;
}

/* Enabling an event that is enabled changes nothing, and fails where there is no such event. */
bool flk_is_marked(int fd)
{
    return fd >= 0 && change_mark(fd, EV_ENABLE);
}

void flk_close_marked(int fd)
{
    if (flk_is_marked(fd))
        (void) close(fd);
}
