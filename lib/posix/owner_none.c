/* SPDX-License-Identifier: MIT
 *
 * Where the system does not tell who holds a lock.
 */
#include "config.h"

#include <errno.h>

#include "owner.h"

int flk_owner_of_file(const struct target *target, struct filelock_owner *owner)
{
    (void) target;
    (void) owner;
    return -ENOTSUP;
}
