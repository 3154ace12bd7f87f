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

static enum outcome wait_flock(const struct lock_request *request, const struct limits *limits)
{
    static const struct flock_calls calls = { try_flock, block_flock };

    return flk_flock_within(request, &calls, limits);
}

static int await_flock(const struct lock_request *request, filelock_waitable stop)
{
    (void) stop;
    return flk_block_here(request, block_flock);
}

/* Converts down only: the kernel replaces the lock of this open file by the shared lock in a single step. */
static enum outcome convert_flock(int fd, const struct range *range, enum filelock_mode mode)
{
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
