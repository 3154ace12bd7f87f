/* SPDX-License-Identifier: MIT
 *
 * locks_none.c - for systems that list no locks.
 */
#include "locks.h"

#include <errno.h>

int locks_list(const char *path, struct sightings *sightings)
{
    (void) path;
    (void) sightings;
    return -ENOTSUP;
}

int locks_list_soft_waiters(struct sightings *sightings)
{
    (void) sightings;
    return 0;
}

int locks_name(struct sightings *sightings, const struct stat *st, const char *path)
{
    (void) sightings;
    (void) st;
    (void) path;
    return 0;
}
