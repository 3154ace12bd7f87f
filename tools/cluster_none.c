/* SPDX-License-Identifier: MIT
 *
 * cluster_none.c - for a build without libfilelock-etcd.
 */
#include <config.h>

#include "cluster.h"

#include <errno.h>

int cluster_handle(struct filelock **lock, const char *name, const struct filelock_options *options,
                   const char *endpoints)
{
    (void) lock;
    (void) name;
    (void) options;
    (void) endpoints;
    return -ENOTSUP;
}
