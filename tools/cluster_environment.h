/* SPDX-License-Identifier: MIT
 *
 * cluster_environment.h - the environment of etcdctl, as options of libfilelock-etcd.
 */
#ifndef CLUSTER_ENVIRONMENT_H
#define CLUSTER_ENVIRONMENT_H

#include <filelock-etcd.h>

/* Fills in the options.  Returns what the caller has to free once they were used, or NULL. */
char *cluster_environment(struct filelock_etcd_options *options);

#endif
