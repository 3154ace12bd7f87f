/* SPDX-License-Identifier: MIT
 *
 * filelock-etcd.h - locks that a cluster of etcd keeps, for programs on several hosts
 *
 * A program is linked with libfilelock-etcd and libfilelock (pkg-config filelock-etcd).  The locks are those of
 * `etcdctl lock NAME`: each waits for the other.
 */
#ifndef FILELOCK_ETCD_H
#define FILELOCK_ETCD_H

#include <filelock.h>

#ifdef __cplusplus
extern "C" {
#endif

struct filelock_etcd_options {
    size_t size;           /* of this struct, set by FILELOCK_ETCD_OPTIONS_INIT */
    const char *endpoints; /* "http://a:2379,https://b:2379"; NULL: $ETCDCTL_ENDPOINTS, else http://127.0.0.1:2379 */
    const char *user, *password;                /* both NULL: no authentication */
    const char *ca_file, *cert_file, *key_file; /* PEM, for https; NULL: the system's trust, no client certificate */
};

/* clang-format off */
#define FILELOCK_ETCD_OPTIONS_INIT                                                                                    \
    { sizeof(struct filelock_etcd_options), NULL, NULL, NULL, NULL, NULL, NULL }
/* clang-format on */

/*
 * Makes a handle for the lock that the cluster knows by `name`.  Reaches no endpoint: the first acquire does.  In a
 * name, '/' and '%' become %2F and %25, so that a lock "a/b" does not block a lock "a".
 *
 * The handle is like any other.  options->kind is FILELOCK_KIND_DEFAULT, and of the flags only FILELOCK_ANY_THREAD and
 * FILELOCK_INTERRUPTIBLE have a meaning.  options->lease_ms is the time to live of the lock without its holder: whole
 * seconds, rounded up; 2 s at least; 0 means 15 s.  A thread of the handle renews it and finds out when it is lost.
 * `options` and `etcd` may be NULL for the defaults, and are not kept.
 *
 * filelock_token() gives the creation revision of the lock's key.  filelock_convert() returns -ENOTSUP.
 * An acquire also returns
 *   -EHOSTUNREACH   no endpoint answers: at once with FILELOCK_TRY, at the deadline else
 *   -EACCES         authentication or TLS refused it
 * filelock_release() also returns -EHOSTUNREACH: no endpoint could be asked, and the lock is still held.
 * A forked child holds nothing, and uses no connection of its parent.
 *
 * Returns
 *   0         *lock is a new handle, which the caller must give to filelock_free()
 *   -EINVAL   as filelock_new_from_provider() returns it.  Or lease_ms is less than 2000 and not 0.  Or endpoints is no
 *             list of addresses.  Or only one of user and password, or a key without a certificate, is given.  Or the
 *             size of *etcd is that of no release of this library
 *   -ENOMEM, -EAGAIN  as filelock_new() returns them
 */
FILELOCK_API int filelock_etcd_new(struct filelock **lock, const char *name, const struct filelock_options *options,
                                   const struct filelock_etcd_options *etcd);

#ifdef __cplusplus
}
#endif

#endif
