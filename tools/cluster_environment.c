/* SPDX-License-Identifier: MIT
 *
 * cluster_environment.c - reads ETCDCTL_USER and the files for TLS.
 */
#include <config.h>

#include "cluster_environment.h"

#include <stdlib.h>
#include <string.h>

static const char *value_of(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : NULL;
}

char *cluster_environment(struct filelock_etcd_options *options)
{
    const char *both = value_of("ETCDCTL_USER"), *password = value_of("ETCDCTL_PASSWORD");
    char *user = both != NULL ? strdup(both) : NULL;
    char *colon = user != NULL && password == NULL ? strchr(user, ':') : NULL;

    options->ca_file = value_of("ETCDCTL_CACERT");
    options->cert_file = value_of("ETCDCTL_CERT");
    options->key_file = value_of("ETCDCTL_KEY");
    options->user = user;
    options->password = user != NULL ? password : NULL;
    if (colon != NULL) {
        *colon = '\0';
        options->password = colon + 1;
    }
    return user;
}
