/* SPDX-License-Identifier: MIT
 *
 * fcntl(2) open-file-description locks: byte ranges, owned by the open file description.  They
 * conflict with POSIX record locks, whose ownership by process (closing any descriptor of the file
 * drops them) makes those unfit for a library.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend.h"
#include "os_lock.h"
#include "posix/blocking.h"

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
        case EACCES: /* POSIX allows either for "held" */
            return FLK_CONTENDED;
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

static int try_ofd(int fd, const struct range *range, enum filelock_mode mode)
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

static int wait_ofd(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits)
{
    static const struct blocking_lock lock = { try_ofd, block_ofd, unlock_ofd };

    return flk_block_within(&lock, fd, range, mode, limits);
}

static const struct backend backend = {
    .exclusive_needs_write = true,
    .proc_names = "OFDLCK POSIX",
    .try = try_ofd,
    .wait = wait_ofd,
    .unlock = unlock_ofd,
};

const struct kind flk_kind_ofd = {
    .id = FILELOCK_KIND_OFD,
    .name = "ofd",
    .abilities = CAN_SHARE | CAN_RANGE | CAN_LOCK_DESCRIPTOR,
    .backend = &backend,
    OS_LOCK_OPERATIONS,
};
