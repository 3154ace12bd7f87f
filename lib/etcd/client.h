/* SPDX-License-Identifier: MIT
 *
 * Calls of etcd's JSON gateway, and a watch beside them.  A client is for a single thread.
 */
#ifndef FLK_ETCD_CLIENT_H
#define FLK_ETCD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "etcd/settings.h"

struct client;

/* Returns NULL if out of memory.  The settings must last as long as the client. */
struct client *flk_client_new(const struct settings *settings);
void flk_client_free(struct client *client);

/* Has the client call tick(arg) whenever it waits.  tick() returns after how many ms it is to be called again. */
void flk_client_set_tick(struct client *client, int64_t (*tick)(void *arg), void *arg);

/*
 * Makes a call with a new reference to the request.  Asks the endpoints in turn, and waits for each answer for less than
 * a second.  An endpoint is asked up to three times if the token has expired.
 *   0              *answer is a new reference
 *   -EHOSTUNREACH  no endpoint has answered
 *   -ENOENT        there is no such lease
 *   -EACCES        authentication or TLS refused it
 *   -ENOSPC, -EIO  the cluster refused it, for lack of space or for another reason
 *   -ENOMEM
 * *unclear, unless NULL: set if the call may be done, or may still be done, without the answer.
 */
int flk_client_call(struct client *client, const char *path, json_t *request, json_t **answer, bool *unclear);

/* Waits for events for at most ms, or until another thread calls flk_client_wake(). */
void flk_client_pump(struct client *client, int64_t ms);
void flk_client_wake(struct client *client);

/* Starts to watch a key from a revision on, in place of the watch before.  Returns 0 or -ENOMEM. */
int flk_client_watch(struct client *client, const char *key, int64_t revision);
void flk_client_unwatch(struct client *client);

/* True if there was an event since the last call, or if the watch has ended: the caller reads the key. */
bool flk_client_watch_fired(struct client *client);
bool flk_client_watches(const struct client *client);

/* Returns the number of the cluster, or 0: no endpoint has answered yet. */
uint64_t flk_client_cluster(const struct client *client);

/* Returns the raft term of the last call that succeeded. */
int64_t flk_client_term(const struct client *client);

/* Returns what went wrong in the last call that failed. */
const char *flk_client_complaint(const struct client *client);

/* Closes the sockets in a forked child.  Async-signal-safe. */
void flk_client_forked(struct client *client);

/* Reads an int64 of the JSON, which is a string there.  A member that is not there is 0. */
int64_t flk_json_int64(const json_t *object, const char *name);

#endif
