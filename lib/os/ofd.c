/* SPDX-License-Identifier: MIT
 *
 * fcntl(2) open-file-description locks: byte ranges, owned by the open file description.  They conflict with POSIX
 * record locks.  Those are owned by the process, and end when it closes any descriptor of the file, which makes them
 * unfit for a library.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kind.h"
#include "os/blocking.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

static int apply(int fd, int command, short type, const struct range *range)
{
    struct flock request = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t) range->start,
        .l_len = (off_t) range->length,
    };

    while (fcntl(fd, command, &request) != 0) {
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
        case EACCES: /* POSIX allows both for a lock that is held */
            return CONTENDED;
        case ENOSYS:
        case EOPNOTSUPP:
        case EINVAL: /* a kernel without these locks: the range was checked before */
            return -ENOTSUP;
        default:
            return -errno;
        }
    }
    return 0;
}

static short type_of(enum filelock_mode mode)
{
    return mode == FILELOCK_SHARED ? F_RDLCK : F_WRLCK;
}

static enum outcome try_ofd(int fd, const struct range *range, enum filelock_mode mode)
{
    return apply(fd, F_OFD_SETLK, type_of(mode), range);
}

static int block_ofd(int fd, const struct range *range, enum filelock_mode mode)
{
    return apply(fd, F_OFD_SETLKW, type_of(mode), range);
}

static int unlock_ofd(int fd, const struct range *range)
{
    return apply(fd, F_OFD_SETLK, F_UNLCK, range);
}

static enum outcome wait_ofd(const struct lock_request *request, const struct limits *limits)
{
    return flk_block_within(request, block_ofd, limits);
}

static int await_ofd(const struct lock_request *request, filelock_waitable stop)
{
    (void) stop;
    return flk_block_here(request, block_ofd);
}

/* Asks for the new lock: the kernel replaces the lock of this open file when no holder is in the way of the new one. */
static enum outcome convert_ofd(int fd, const struct range *range, enum filelock_mode mode)
{
    return try_ofd(fd, range, mode);
}

const struct os_kind flk_kind_ofd = {
    .kind = {
        .id = FILELOCK_KIND_OFD,
        .name = "ofd",
        .abilities = NAMES_TAKER | CAN_SHARE | CAN_RANGE | CAN_LOCK_DESCRIPTOR | CAN_CONVERT_DOWN | CAN_CONVERT_UP,
        OS_LOCK_OPERATIONS,
    },
    .backend = {
        .access_counts = true,
        .proc_names = "OFDLCK POSIX",
        .try = try_ofd,
        .wait = wait_ofd,
        .block = await_ofd,
        .grants_again = true,
        .convert = convert_ofd,
        .unlock = unlock_ofd,
    },
};
