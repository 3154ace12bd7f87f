/* SPDX-License-Identifier: MIT
 *
 * etcd.c - locks that a node of etcd keeps, beside the round trips that they need, made by libcurl alone
 */
#include <config.h>

#include "etcd_nodes.h"
#include "scenario.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define HELD_NS 20000000 /* time for a waiter to wait: its watch is there then */
#define LOOK_NS 10000000

/* ---- Round trips by libcurl ----------------------------------------------------------------- */

/* What the thread of a watch or of a waiter does, and when it was done. */
struct moment {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t at; /* 0: not yet */
    int ready;  /* the watch is there */
};

static struct moment moment = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0 };

static void moment_has_come(void)
{
    int64_t now = now_ns();

    pthread_mutex_lock(&moment.mutex);
    moment.at = now;
    pthread_cond_signal(&moment.changed);
    pthread_mutex_unlock(&moment.mutex);
}

static int64_t moment_wait(void)
{
    int64_t at;

    pthread_mutex_lock(&moment.mutex);
    while (moment.at == 0)
        pthread_cond_wait(&moment.changed, &moment.mutex);
    at = moment.at;
    moment.at = 0;
    pthread_mutex_unlock(&moment.mutex);
    return at;
}

/* Key "a/1", end "a0".  They are the transactions by which the lock is acquired and released. */
static const char acquiring[] =
    "{\"compare\":[{\"key\":\"YS8=\",\"range_end\":\"YTA=\",\"target\":\"CREATE\",\"result\":\"LESS\","
    "\"create_revision\":\"1\"}],\"success\":[{\"request_put\":{\"key\":\"YS8x\",\"value\":\"e30=\"}},"
    "{\"request_range\":{\"key\":\"YS8=\",\"range_end\":\"YTA=\",\"sort_target\":\"CREATE\"}}]}";
static const char releasing[] =
    "{\"compare\":[{\"key\":\"YS8x\",\"target\":\"CREATE\",\"result\":\"GREATER\",\"create_revision\":\"0\"}],"
    "\"success\":[{\"request_delete_range\":{\"key\":\"YS8x\"}}]}";

static void send_once(CURL *easy, const char *body)
{
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    if (curl_easy_perform(easy) != CURLE_OK)
        die("etcd does not answer");
}

static size_t see_event(char *bytes, size_t one, size_t size, void *arg)
{
    (void) one;
    (void) arg;
    if (memmem(bytes, size, "\"DELETE\"", 8) != NULL)
        moment_has_come();
    if (memmem(bytes, size, "\"created\":true", 14) != NULL)
        __atomic_store_n(&moment.ready, 1, __ATOMIC_SEQ_CST);
    return size;
}

static int goes_on(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void) a;
    (void) b;
    (void) c;
    (void) d;
    return __atomic_load_n((int *) arg, __ATOMIC_SEQ_CST);
}

static int watch_ends;

static void *watch(void *arg)
{
    CURL *easy = nodes_connection(nodes.node[0].url, "/v3/watch", "{\"create_request\":{\"key\":\"YS8x\"}}");

    (void) arg;
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, see_event);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, goes_on);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &watch_ends);
    (void) curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    return NULL;
}

/* ---- The rows ------------------------------------------------------------------------------- */

static struct filelock *new_lock(void)
{
    return nodes_lock("bench", 0, 0);
}

static void measure_uncontended(long rounds, struct samples *ours, struct samples *floor)
{
    CURL *easy = nodes_connection(nodes.node[0].url, "/v3/kv/txn", acquiring);
    struct filelock *lock = new_lock();

    for (long i = 0; i < rounds + 1; i++) {
        int64_t start = now_ns(), between;

        send_once(easy, acquiring);
        send_once(easy, releasing);
        between = now_ns();
        nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY));
        nodes_expect(filelock_release(lock));
        if (i == 0) /* it connects, and gets a lease */
            continue;
        samples_add(floor, (double) (between - start));
        samples_add(ours, (double) (now_ns() - between));
    }
    filelock_free(lock);
    curl_easy_cleanup(easy);
}

static void *wait_for_lock(void *lock)
{
    nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    moment_has_come();
    nodes_expect(filelock_release(lock));
    return NULL;
}

static double hand_off(struct filelock *lock, struct filelock *other)
{
    pthread_t waiter;
    int64_t start;
    double took;

    nodes_expect(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER));
    if (pthread_create(&waiter, NULL, wait_for_lock, other) != 0)
        die("a thread cannot be started");
    sleep_ns(HELD_NS);
    start = now_ns();
    nodes_expect(filelock_release(lock));
    took = (double) (moment_wait() - start);
    pthread_join(waiter, NULL);
    return took;
}

static void measure_handoff(long rounds, struct samples *ours, struct samples *floor)
{
    struct filelock *lock = new_lock(), *other = new_lock();
    CURL *easy = nodes_connection(nodes.node[0].url, "/v3/kv/txn", acquiring);
    pthread_t watcher;

    if (pthread_create(&watcher, NULL, watch, NULL) != 0)
        die("a thread cannot be started");
    while (!__atomic_load_n(&moment.ready, __ATOMIC_SEQ_CST))
        sleep_ns(LOOK_NS);
    for (long i = 0; i < rounds + 1; i++) {
        double took;
        int64_t start;

        send_once(easy, acquiring);
        sleep_ns(HELD_NS);
        start = now_ns();
        send_once(easy, releasing);
        took = (double) (moment_wait() - start);
        samples_add(floor, i == 0 ? NAN : took);
        took = hand_off(lock, other);
        samples_add(ours, i == 0 ? NAN : took);
    }
    __atomic_store_n(&watch_ends, 1, __ATOMIC_SEQ_CST);
    send_once(easy, acquiring);
    send_once(easy, releasing); /* an event ends the wait of the watch */
    pthread_join(watcher, NULL);
    moment.at = 0;
    curl_easy_cleanup(easy);
    filelock_free(lock);
    filelock_free(other);
}

static void add_row(struct table *table, const char *label, const struct samples *samples, double floor)
{
    table_cell(table, "%s", label);
    table_time(table, samples_median(samples));
    table_time(table, samples_percentile(samples, 99));
    table_ratio(table, samples_median(samples) / floor);
}

void scenario_etcd(const struct settings *settings)
{
    struct samples pair = { NULL, 0, 0 }, ours = { NULL, 0, 0 }, event = { NULL, 0, 0 }, handed = { NULL, 0, 0 };
    static struct table table;
    double floor, event_floor;

    printf("## Locks that a node of etcd keeps\n\n");
    if (!nodes_start(settings, 1)) {
        printf("There is no etcd here (Debian: etcd-server).\n\n");
        nodes_end();
        return;
    }
    measure_uncontended(settings_choose(settings, 1000, 100), &ours, &pair);
    measure_handoff(settings_choose(settings, 200, 30), &handed, &event);
    nodes_end();
    floor = samples_median(&pair);
    event_floor = samples_median(&event);
    printf(
        "One node, on the loopback interface.  The handoff is from just before the release, or the deletion of a key,\n"
        "until the waiter has the lock, or the event.\n\n");
    table_begin(&table, "what|p50|p99|p50 / floor's");
    add_row(&table, "libcurl: two transactions", &pair, floor);
    add_row(&table, "libfilelock etcd: acquire and release", &ours, floor);
    add_row(&table, "libcurl: a deletion's event", &event, event_floor);
    add_row(&table, "libfilelock etcd: handoff", &handed, event_floor);
    table_print(&table);
    goal_at_most("etcd: acquire and release / two transactions", samples_median(&ours) / floor, 1.3);
    goal_at_most("etcd: handoff / a deletion's event", samples_median(&handed) / event_floor, 2);
    samples_free(&pair);
    samples_free(&ours);
    samples_free(&event);
    samples_free(&handed);
    etcd_deaths(settings);
}
