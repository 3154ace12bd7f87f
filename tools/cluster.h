/* SPDX-License-Identifier: MIT
 *
 * cluster.h - locks that a cluster of etcd keeps.  One source of these is linked:
 * - cluster_loaded.c loads libfilelock-etcd when it is wanted, since most runs of the tool do without
 * - cluster_linked.c is linked with it, for a tool without shared libraries
 * - cluster_none.c has none
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <filelock.h>

/*
 * Makes a handle by filelock_etcd_new(), and returns as that does.  -ENOTSUP: the library is not there.  User, password
 * and files for TLS are in the environment, as etcdctl has them.
 */
int cluster_handle(struct filelock **lock, const char *name, const struct filelock_options *options,
                   const char *endpoints);

#endif
