/* SPDX-License-Identifier: MIT
 *
 * Holders of locks, for systems that do not tell them.
 */
#include "config.h"

#include <errno.h>

#include "kind.h"
#include "os/holder.h"
#include "system/file.h"

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    (void) target;
    (void) owner;
    return -ENOTSUP;
}

bool flk_file_is_wanted(int fd)
{
    (void) fd;
    return false;
}

int flk_holder_write(int fd, const struct range *range, const char *text, size_t size)
{
    (void) range;
    return flk_file_write(fd, text, size);
}
