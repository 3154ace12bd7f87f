/* SPDX-License-Identifier: MIT
 *
 * cluster_linked.c - calls libfilelock-etcd, which is part of the tool.
 */
#include <config.h>

#include "cluster.h"
#include "cluster_environment.h"

#include <stdlib.h>

int cluster_handle(struct filelock **lock, const char *name, const struct filelock_options *options,
                   const char *endpoints)
{
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    char *used = cluster_environment(&etcd);
    int error;

    etcd.endpoints = endpoints;
    error = filelock_etcd_new(lock, name, options, &etcd);
    free(used);
    return error;
}
