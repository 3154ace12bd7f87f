/* SPDX-License-Identifier: MIT
 *
 * flock(2): the whole file, owned by the open file description.
 */
#include "config.h"

#include <errno.h>
#include <sys/file.h>

#include "kind.h"
#include "os/blocking.h"
#include "os/flock_wait.h"
#include "os/os_kind.h"
#include "os/os_lock.h"
#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

static int apply(int fd, int operation)
{
    while (flock(fd, operation) != 0) {
        switch (errno) {
        case EINTR:
            continue;
        case EWOULDBLOCK:
            return CONTENDED;
        case ENOSYS:
        case EOPNOTSUPP:
        case EINVAL: /* the operation is valid, so the file cannot be locked */
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

static enum outcome try_flock(int fd, const struct range *range, enum filelock_mode mode)
{
    (void) range;
    return apply(fd, operation_of(mode) | LOCK_NB);
}

static enum outcome block_flock(int fd, const struct range *range, enum filelock_mode mode)
{
    (void) range;
    return apply(fd, operation_of(mode));
}

static int unlock_flock(int fd, const struct range *range)
{
    (void) range;
    return apply(fd, LOCK_UN);
}

static enum outcome await_flock(int fd, const struct range *range, enum filelock_mode mode, filelock_waitable stop)
{
    (void) stop;
    return block_flock(fd, range, mode);
}

static int wait_flock(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits)
{
    static const struct blocking_lock lock = { try_flock, block_flock, unlock_flock };

    return flk_flock_within(&lock, fd, range, mode, limits);
}

/* Converts down only: the kernel replaces the lock of this open file by the shared lock in a single step. */
static int convert_flock(int fd, const struct range *range, enum filelock_mode mode, const struct limits *limits)
{
    (void) limits;
    return try_flock(fd, range, mode);
}

const struct os_kind flk_kind_flock = {
    .kind = {
        .id = FILELOCK_KIND_FLOCK,
        .name = "flock",
        .abilities = NAMES_TAKER | CAN_SHARE | CAN_LOCK_DESCRIPTOR | CAN_CONVERT_DOWN,
        OS_LOCK_OPERATIONS,
    },
    .backend = {
        .access_counts = false,
        .proc_names = "FLOCK",
        .try = try_flock,
        .wait = wait_flock,
        .block = await_flock,
        .grants_again = true,
        .convert = convert_flock,
        .unlock = unlock_flock,
    },
};
