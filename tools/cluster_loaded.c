/* SPDX-License-Identifier: MIT
 *
 * cluster_loaded.c - loads libfilelock-etcd, which takes several times as long as all else that the tool does.
 */
#include <config.h>

#include "cluster.h"
#include "cluster_environment.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libfilelock-etcd.so.0"

/* filelock_etcd_new() */
typedef int make(struct filelock **, const char *, const struct filelock_options *,
                 const struct filelock_etcd_options *);

int cluster_handle(struct filelock **lock, const char *name, const struct filelock_options *options,
                   const char *endpoints)
{
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    void *library = dlopen(LIBRARY, RTLD_NOW), *symbol = library != NULL ? dlsym(library, "filelock_etcd_new") : NULL;
    make *function;
    char *used;
    int error;

    if (symbol == NULL)
        return -ENOTSUP;
    memcpy(&function, &symbol, sizeof function); /* POSIX has both in one form, C does not */
    used = cluster_environment(&etcd);
    etcd.endpoints = endpoints;
    error = function(lock, name, options, &etcd);
    free(used);
    return error;
}
