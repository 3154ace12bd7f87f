/* SPDX-License-Identifier: MIT
 *
 * flock(2): the whole file, owned by the open file description.
 */
#include "config.h"

#include <errno.h>
#include <sys/file.h>

#include "backend.h"
#include "os_lock.h"
#include "posix/blocking.h"

static int apply(int fd, int operation)
{
    while (flock(fd, operation) != 0) {
        switch (errno) {
        case EINTR:
            continue;
        case EWOULDBLOCK:
            return FLK_CONTENDED;
        case ENOSYS:
        case EOPNOTSUPP:
        case EINVAL: /* the operation is well-formed: it is the file that cannot */
            return -ENOTSUP;
        default:
            return -errno;
        }
    }
    return 0;
}

static int operation_of(enum filelock_mode mode)
{
    return mode == FILELOCK_SHARED ? LOCK_SH : LOCK_EX;
}

static int try_flock(int fd, const struct range *range, enum filelock_mode mode)
{
    (void) range;
    return apply(fd, operation_of(mode) | LOCK_NB);
}

static int block_flock(int fd, const struct range *range, enum filelock_mode mode)
{
    (void) range;
    return apply(fd, operation_of(mode));
}

static int unlock_flock(int fd, const struct range *range)
{
    (void) range;
    return apply(fd, LOCK_UN);
}

static int wait_flock(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits)
{
    static const struct blocking_lock lock = { try_flock, block_flock, unlock_flock };

    return flk_block_within(&lock, fd, range, mode, limits);
}

static const struct backend backend = {
    .exclusive_needs_write = false,
    .proc_names = "FLOCK",
    .try = try_flock,
    .wait = wait_flock,
    .unlock = unlock_flock,
};

const struct kind flk_kind_flock = {
    .id = FILELOCK_KIND_FLOCK,
    .name = "flock",
    .abilities = CAN_SHARE | CAN_LOCK_DESCRIPTOR,
    .backend = &backend,
    OS_LOCK_OPERATIONS,
};
