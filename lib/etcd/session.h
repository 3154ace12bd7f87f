/* SPDX-License-Identifier: MIT
 *
 * A session: the thread of a handle, which makes all calls to the cluster, renews the lease, and watches.  So a caller
 * needs no large stack, and the lock is renewed whatever the caller does.
 */
#ifndef FLK_ETCD_SESSION_H
#define FLK_ETCD_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <filelock-provider.h>

#include "etcd/settings.h"

struct session;

/*
 * Starts the thread.  prefix: of the keys of the lock.  The settings and the prefix must last as long as the session.
 * Returns 0, -ENOMEM, -EAGAIN, -EMFILE or -ENFILE.
 */
int flk_session_start(struct session **session, const struct settings *settings, const char *prefix,
                      int64_t lease_seconds);

/*
 * Ends the thread.  A lock that is still held is given up.  *session is NULL before the session is freed: a fork may
 * come at any time.
 */
void flk_session_end(struct session **session);

/* Closes what a forked child has of it.  Async-signal-safe.  The memory of the session is lost. */
void flk_session_forked(struct session *session);

/* Return as the functions of struct filelock_provider do. */
int flk_session_try(struct session *session, enum filelock_mode mode);
int flk_session_acquire(struct session *session, enum filelock_mode mode,
                        const struct filelock_provider_limits *limits);
int flk_session_release(struct session *session);
int flk_session_owner(struct session *session, struct filelock_owner *owner);
int64_t flk_session_remaining(struct session *session);
filelock_waitable flk_session_lost(struct session *session);
int flk_session_token(struct session *session, uint64_t *token);
int flk_session_explain(struct session *session, int error, char *text, size_t size);

/* Returns the number of the cluster; 0: it is not known yet. */
uint64_t flk_session_cluster(struct session *session);

#endif
