/* SPDX-License-Identifier: MIT
 *
 * How a cluster is reached, as the caller's options say it.
 */
#ifndef FLK_ETCD_SETTINGS_H
#define FLK_ETCD_SETTINGS_H

#include <stddef.h>

#include <filelock-etcd.h>

#define MAX_ENDPOINTS 32 /* a cluster has seven members at most: more is a mistake */

struct settings {
    char *endpoints[MAX_ENDPOINTS]; /* addresses without a '/' at the end */
    size_t count;
    char *user, *password, *ca_file, *cert_file, *key_file; /* or NULL */
};

/* Makes a copy of the options; NULL for the defaults.  Returns 0, -EINVAL or -ENOMEM. */
int flk_settings_make(struct settings **settings, const struct filelock_etcd_options *options);
void flk_settings_free(struct settings *settings);

#endif
