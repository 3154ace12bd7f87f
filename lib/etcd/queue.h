/* SPDX-License-Identifier: MIT
 *
 * The queue for a lock: keys NAME/LEASE, in the order of their creation revisions.  A contender holds the lock when no
 * key before its own is in its way.  `etcdctl lock` uses the same queue.
 */
#ifndef FLK_ETCD_QUEUE_H
#define FLK_ETCD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <filelock.h>

#include "etcd/client.h"

/* Returns the prefix of the keys of a lock, as a new string: the name, in which '/' and '%' are encoded, and a '/'. */
char *flk_etcd_queue_prefix(const char *name);

/* The place of a contender in the queue. */
struct place {
    int64_t created;  /* the creation revision of the contender's key; 0: it is not in the queue */
    bool free;        /* no key is in the way: none before the contender's own, or none at all if it has no key */
    char *in_the_way; /* the last key that is in the way, which flk_place_clear() frees; NULL: none */
    int64_t revision; /* of the cluster, when the queue was read */
};

void flk_place_clear(struct place *place);

/* The functions below return as flk_client_call() does.  key: the contender's own, unless a comment says otherwise. */

/*
 * Puts the key into the queue, and reads the queue.  limit: INT64_MAX, or the key is put only if all keys in the queue
 * were created up to this revision.
 */
int flk_etcd_queue_enter(struct client *client, const char *prefix, const char *key, int64_t lease,
                         enum filelock_mode mode, int64_t limit, struct place *place, bool *unclear);
int flk_etcd_queue_read(struct client *client, const char *prefix, const char *key, enum filelock_mode mode,
                        struct place *place);

/* Deletes the key if it was created at that revision.  *deleted: false if there was no such key. */
int flk_etcd_queue_leave(struct client *client, const char *key, int64_t created, bool *deleted, bool *unclear);

/* Finds the creation revision of a key; 0: there is none.  *revision: of the cluster, when the key was read. */
int flk_etcd_queue_find(struct client *client, const char *key, int64_t *created, int64_t *revision);

/* Fills in the first holder.  Returns -ENOENT if there is none. */
int flk_etcd_queue_owner(struct client *client, const char *prefix, struct filelock_owner *owner);

/*
 * Grants, keeps alive and revokes a lease.  *seconds: what to ask for, which only a grant does, and what was granted.
 * 0 from flk_lease_keep_alive(): the lease is gone.  To revoke a lease that is gone is no error.
 */
int flk_lease_grant(struct client *client, int64_t *lease, int64_t *seconds);
int flk_lease_keep_alive(struct client *client, int64_t lease, int64_t *seconds);
int flk_lease_revoke(struct client *client, int64_t lease);

#endif
