/* SPDX-License-Identifier: MIT
 *
 * etcd_nodes.h - a cluster of etcd on the loopback interface, and what is measured there
 */
#ifndef BENCH_ETCD_NODES_H
#define BENCH_ETCD_NODES_H

#include "harness.h"

#include <curl/curl.h>
#include <filelock-etcd.h>
#include <sys/types.h>

enum { NODES_MAX = 3 };

/* The cluster of which a scenario has one at a time. */
struct nodes {
    int count;
    struct node {
        char directory[4096], url[64], peer[64];
        pid_t pid;
    } node[NODES_MAX];
};

extern struct nodes nodes;

/* Starts a cluster with etcd's own times.  Returns 0 if there is no etcd. */
int nodes_start(const struct settings *settings, int count);
/* Kills the nodes, and removes what they have written. */
void nodes_end(void);
void nodes_kill(int number);
/* Returns the number of the leader. */
int nodes_leader(void);

/* Makes a connection that sends this body to a node.  The caller frees it by curl_easy_cleanup(). */
CURL *nodes_connection(const char *url, const char *path, const char *body);
/* Makes a lock whose first endpoint is this node.  lease_ms of 0 means the default. */
struct filelock *nodes_lock(const char *name, int first, int64_t lease_ms);

/* Ends the program if a call on a lock has failed. */
void nodes_expect(int rc);

/* Measures what the death of a holder and the death of a leader cost. */
void etcd_deaths(const struct settings *settings);

#endif
