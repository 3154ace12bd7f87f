/* SPDX-License-Identifier: MIT
 *
 * etcd_deaths.c - measures how soon a lock can be had when its holder, or the leader of the cluster, was killed
 */
#include <config.h>

#include "etcd_nodes.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASE_MS 2000
#define PROBE_MS 50 /* a transaction that is not done in this time was sent to the leader that is dead */
#define NS_PER_S 1e9

/* ---- A holder ------------------------------------------------------------------------------- */

/* Holds the lock until it is killed.  It writes a byte when it has the lock. */
static void hold(int fd)
{
    struct filelock *lock = nodes_lock("killed", 0, LEASE_MS);

    nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    if (write(fd, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* Returns the time from the kill until a waiter has the lock. */
static double kill_holder(struct filelock *waiter)
{
    int fds[2];
    pid_t holder;
    char byte;
    int64_t start;

    if (pipe(fds) != 0 || (holder = fork()) < 0)
        die("a holder cannot be started");
    if (holder == 0)
        hold(fds[1]);
    close(fds[1]);
    if (read(fds[0], &byte, 1) != 1)
        die("the holder has no lock");
    close(fds[0]);
    start = now_ns();
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    nodes_expect(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    double took = (double) (now_ns() - start);
    nodes_expect(filelock_release(waiter));
    return took;
}

/* ---- The leader ----------------------------------------------------------------------------- */

static int write_once(CURL *easy)
{
    return curl_easy_perform(easy) == CURLE_OK;
}

/* Asks all nodes in turn until one has done a transaction.  Stores when that was. */
static void *probe(void *arg)
{
    CURL *easy[NODES_MAX];
    int64_t *done = arg;

    for (int i = 0; i < nodes.count; i++) {
        easy[i] = nodes_connection(nodes.node[i].url, "/v3/kv/put", "{\"key\":\"cHJvYmU=\",\"value\":\"\"}");
        curl_easy_setopt(easy[i], CURLOPT_TIMEOUT_MS, (long) PROBE_MS);
    }
    for (int i = 0; !write_once(easy[i]); i = (i + 1) % nodes.count)
        sleep_ns(1000000);
    *done = now_ns();
    for (int i = 0; i < nodes.count; i++)
        curl_easy_cleanup(easy[i]);
    return NULL;
}

/* Kills the leader.  Stores how long the cluster does no transaction, and how long the lock cannot be had. */
static void kill_leader(const struct settings *settings, struct samples *silence, struct samples *ours)
{
    struct filelock *lock;
    pthread_t prober;
    int leader;
    int64_t start, answered;

    if (!nodes_start(settings, 3))
        die("three nodes cannot be started");
    leader = nodes_leader();
    lock = nodes_lock("leader", leader, 0);
    nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    nodes_expect(filelock_release(lock));
    start = now_ns();
    nodes_kill(leader);
    if (pthread_create(&prober, NULL, probe, &answered) != 0)
        die("a thread cannot be started");
    nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    nodes_expect(filelock_release(lock));
    samples_add(ours, (double) (now_ns() - start));
    pthread_join(prober, NULL);
    samples_add(silence, (double) (answered - start));
    filelock_free(lock);
    nodes_end();
}

/* ---- The rows ------------------------------------------------------------------------------- */

static void add_row(struct table *table, const char *label, const struct samples *samples)
{
    table_cell(table, "%s", label);
    table_time(table, samples_median(samples));
    table_time(table, samples_percentile(samples, 100));
}

void etcd_deaths(const struct settings *settings)
{
    struct samples holder = { NULL, 0, 0 }, silence = { NULL, 0, 0 }, leader = { NULL, 0, 0 };
    static struct table table;

    if (!nodes_start(settings, 1))
        die("a node cannot be started");
    struct filelock *waiter = nodes_lock("killed", 0, LEASE_MS);
    for (long i = settings_choose(settings, 5, 1); i > 0; i--)
        samples_add(&holder, kill_holder(waiter));
    filelock_free(waiter);
    nodes_end();
    for (long i = settings_choose(settings, 5, 1); i > 0; i--)
        kill_leader(settings, &silence, &leader);
    printf(
        "A holder with a lease of 2 s is killed; the leader of three nodes is killed, whose times are etcd's own.\n\n");
    table_begin(&table, "from the kill until|p50|longest");
    add_row(&table, "a waiter has the lock of the holder", &holder);
    add_row(&table, "libcurl: one of the other nodes does a transaction", &silence);
    add_row(&table, "libfilelock etcd: a lock is acquired and released", &leader);
    table_print(&table);
    goal_at_most("etcd: seconds until the lock of a killed holder is had, lease 2 s",
                 samples_median(&holder) / NS_PER_S, 3);
    goal_at_most("etcd: seconds that the death of a leader costs", samples_median(&leader) / NS_PER_S, 2);
    samples_free(&holder);
    samples_free(&silence);
    samples_free(&leader);
}
