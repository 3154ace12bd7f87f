/* SPDX-License-Identifier: MIT
 *
 * Waiting for OFD locks where the system knows no deadline for them.
 */
#include "config.h"

#include "os/blocking.h"
#include "os/ofd_wait.h"

enum outcome flk_ofd_within(const struct lock_request *request, blocking_function *block, const struct limits *limits)
{
    return flk_block_within(request, block, limits);
}
