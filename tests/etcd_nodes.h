/* SPDX-License-Identifier: MIT
 *
 * etcd_nodes.h - nodes of etcd on the loopback interface, handles of the locks that they keep, and a server that answers
 * in their place.
 */
#ifndef TESTS_ETCD_NODES_H
#define TESTS_ETCD_NODES_H

#include "posix.h"

#include <filelock-etcd.h>

/* ---- Nodes ---------------------------------------------------------------------------------- */

#define MAX_NODES 3

struct node {
    char url[64], peer[64];
    pid_t pid;
};

extern struct nodes {
    char directory[256], server[256], etcdctl[256];
    char endpoints[200];                                 /* the addresses of all nodes */
    const char *certificate, *certificate_key, *trusted; /* files of nodes that speak TLS; NULL: they do not */
    int count;                                           /* 0: etcd is not installed */
    struct node node[MAX_NODES];
} nodes;

/* Start so many nodes, in a directory of their own.  Fixtures of a test case.  nodes_start() goes by the environment. */
void nodes_start(void);
void nodes_start_three(void);
void nodes_start_count(int count);
void nodes_end(void);

/* Sends a signal to each node. */
void nodes_signal(int number);

/* Waits until there is a leader among the nodes that run, and returns its number. */
int nodes_leader(void);

#define NEEDS_NODES()                                                          \
    do {                                                                       \
        if (nodes.count == 0)                                                  \
            SKIP("wants etcd and etcdctl (Debian: etcd-server, etcd-client)"); \
    } while (0)

/* Returns a port that no process listens on, and a socket that keeps it until it is closed. */
int free_port(int *fd);

/* Makes a pipe that programs do not inherit. */
void private_pipe(int ends[2]);

/* Runs etcdctl with these arguments, at all nodes.  What it prints comes to *from. */
pid_t etcdctl_start(int *from, const char *const *arguments);

/* Runs etcdctl with these arguments, up to the first NULL, and returns its status. */
int etcdctl(const char *first, const char *second, const char *third, const char *fourth);

/* ---- Handles -------------------------------------------------------------------------------- */

struct filelock *etcd_with(const char *name, const char *endpoints, const char *user, const char *password,
                           const struct filelock_options *options);

/* Return a handle that asks all nodes; that has a lease of 2 s; that holds the lock as soon as the nodes let it. */
struct filelock *etcd_lock(const char *name);
struct filelock *short_lock(const char *name);
struct filelock *held_lock(const char *name);

/* Fails the test unless filelock_describe() says these words. */
void expect_described(const struct filelock *lock, int error, const char *words);

/* ---- A server that answers in the place of a node -------------------------------------------- */

/*
 * What is answered to a request.  The first reply with this path counts that is not used up.  In a body,
 *   %k       is the key that was put last
 *   COUNTED  is a raft term that is greater in each answer
 *   %w       is a second in which the server does nothing
 * The answer to a watch does not end.  body NULL: there is no answer.
 */
struct reply {
    const char *path, *body;
    int times; /* how often it is used; 0: as often as it is wanted */
};

#define MAX_REPLIES 16

/* Counts for each reply how often it was used, in memory that the server shares. */
struct script {
    char url[64];
    pid_t pid;
    int alive; /* the server ends when this is closed */
    int used[MAX_REPLIES];
    int terms;
};

/* Starts a server.  It ends by itself with this process.  The replies end with a path NULL. */
struct script *script_start(const struct reply *replies);
void script_end(struct script *script);

#endif
