/* SPDX-License-Identifier: MIT
 *
 * test_etcd.c - locks that a cluster of etcd keeps.  Each case has nodes of its own, on the loopback interface: one, or
 * three with FILELOCK_TEST_ETCD_NODES=3.
 */
#include "etcd_nodes.h"
#include "markers.h"

#include <arpa/inet.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- Without a node ------------------------------------------------------------------------- */

START_TEST(test_options)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock *lock;

    EXPECT(filelock_etcd_new(&lock, "a", NULL, NULL), 0);
    ck_assert_str_eq(filelock_kind_name(filelock_kind(lock)), "etcd");
    ck_assert_str_eq(filelock_path(lock), "a");
    filelock_free(lock);
    EXPECT(filelock_etcd_new(NULL, "a", NULL, NULL), -EINVAL);
    EXPECT(filelock_etcd_new(&lock, "", NULL, NULL), -EINVAL);
    options.lease_ms = 1999;
    EXPECT(filelock_etcd_new(&lock, "a", &options, NULL), -EINVAL);
    options.lease_ms = INT64_MAX;
    EXPECT(filelock_etcd_new(&lock, "a", &options, NULL), -EINVAL);
    options.lease_ms = 2000;
    options.flags = FILELOCK_UNLINK;
    EXPECT(filelock_etcd_new(&lock, "a", &options, NULL), -EINVAL);
    etcd.size--;
    EXPECT(filelock_etcd_new(&lock, "a", NULL, &etcd), -EINVAL);
    etcd.size++;
    etcd.user = "me";
    EXPECT(filelock_etcd_new(&lock, "a", NULL, &etcd), -EINVAL);
    etcd.user = NULL;
    etcd.key_file = "key";
    EXPECT(filelock_etcd_new(&lock, "a", NULL, &etcd), -EINVAL);
    etcd.key_file = NULL;
    struct {
        struct filelock_etcd_options known;
        const char *newer;
    } later = { etcd, NULL };
    later.known.size = sizeof(later);
    EXPECT(filelock_etcd_new(&lock, "a", NULL, &later.known), 0);
    filelock_free(lock);
    later.newer = "set";
    EXPECT(filelock_etcd_new(&lock, "a", NULL, &later.known), -EINVAL);
    const char *const bad[] = { "", ",", "http://a:1,", " ", "http://a:1,,http://b:1", "http://a:1 http://b:1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        etcd.endpoints = bad[i];
        EXPECT(filelock_etcd_new(&lock, "a", NULL, &etcd), -EINVAL);
    }
}
END_TEST

START_TEST(test_unreachable)
{
    char endpoints[100], text[600];
    int fd, port = free_port(&fd);
    snprintf(endpoints, sizeof(endpoints), "http://127.0.0.1:%d", port);
    struct filelock *lock = etcd_with("a", endpoints, NULL, NULL, NULL);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EHOSTUNREACH);
    expect_described(lock, -EHOSTUNREACH, endpoints);
    filelock_free(lock);
    snprintf(endpoints, sizeof(endpoints), "http://root:secret@127.0.0.1:%d", port);
    lock = etcd_with("a", endpoints, NULL, NULL, NULL);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EHOSTUNREACH);
    filelock_describe(lock, -EHOSTUNREACH, text, sizeof(text));
    ck_assert_msg(strstr(text, "127.0.0.1:") != NULL && strstr(text, "secret") == NULL, "%s", text);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100), -EHOSTUNREACH);
    EXPECT_TOOK(start, 100);
    EXPECT(filelock_held(lock), 0);
    filelock_free(lock);
    close(fd);
}
END_TEST

/* What a server answers to every request, and what an acquire makes of it. */
static const struct {
    const char *body;
    int error;
} answers[] = {
    { "{\"error\":\"etcdserver: permission denied\",\"code\":7}", -EACCES },
    { "{\"code\":7,\"message\":\"etcdserver: permission denied\",\"details\":[]}", -EACCES },
    { "{\"error\":{\"grpc_code\":7,\"http_code\":403,\"message\":\"etcdserver: permission denied\"}}", -EACCES },
    { "{\"error\":{\"code\":7,\"message\":\"etcdserver: permission denied\"}}", -EACCES },
    { "{\"error\":7,\"code\":\"7\",\"message\":[]}", -EHOSTUNREACH },
    { "", -EHOSTUNREACH },
    { "null", -EHOSTUNREACH },
    { "[]", -EHOSTUNREACH },
    { "{}", -EHOSTUNREACH },
    { "{\"header\":7}", -EIO },
    { "{\"header\":{},\"TTL\":{}}", -EIO },
    { "{\"header\":{},\"TTL\":\"9000000000000000000\"}", -EIO },
    { "{\"header\":{},\"TTL\":\"99999999999999999999999\"}", -EIO },
    { "{\"header\":{},\"TTL\":99999999999999999999999}", -EHOSTUNREACH },
};

/* Answers every request with this body, until it is killed, or a test that failed has left it alone for long. */
static void serve(int fd, const char *body)
{
    char bytes[65536];

    alarm(60);
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (read(client, bytes, sizeof(bytes)) > 0)
            dprintf(client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(body),
                    body);
        close(client);
    }
}

/* Refusals are understood in the form of every release, and answers of no known form are no harm. */
START_TEST(test_answers)
{
    char url[64];
    int fd;

    snprintf(url, sizeof(url), "http://127.0.0.1:%d", free_port(&fd));
    ck_assert_int_eq(listen(fd, 16), 0);
    pid_t server = fork();
    if (server == 0)
        serve(fd, answers[_i].body);
    struct filelock *lock = etcd_with("a", url, NULL, NULL, NULL);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), answers[_i].error);
    filelock_free(lock);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(fd);
}
END_TEST

/* ---- A server that plays a node --------------------------------------------------------------- */

/* A header of this cluster and raft term, and answers with it. */
#define HEADER(cluster, term) \
    "\"header\":{\"cluster_id\":\"" #cluster "\",\"revision\":\"7\",\"raft_term\":\"" #term "\"}"
#define GRANT(cluster, term) "{" HEADER(cluster, term) ",\"ID\":\"1\",\"TTL\":\"2\"}"
#define KEPT(cluster, term) "{\"result\":{" HEADER(cluster, term) ",\"TTL\":\"2\"}}"
#define KEYS "\"kvs\":[{\"key\":\"%k\",\"create_revision\":\"7\"}]"
#define FOUND(cluster, term) "{" HEADER(cluster, term) "," KEYS "}"
#define ENTERED(cluster, term) \
    "{" HEADER(cluster, term) ",\"succeeded\":true,\"responses\":[{},{\"response_range\":{" KEYS "}}]}"
/* Key "terms/1" is in the way. */
#define QUEUED(cluster, term)                                                        \
    "{" HEADER(                                                                      \
        cluster,                                                                     \
        term) ",\"succeeded\":true,\"responses\":[{},{\"response_range\":{\"kvs\":[" \
              "{\"key\":\"dGVybXMvMQ==\",\"create_revision\":\"6\"},{\"key\":\"%k\",\"create_revision\":\"7\"}]}}]}"
#define WATCHED(cluster, term) "{\"result\":{" HEADER(cluster, term) ",\"created\":true}}"

/* A node that grants, finds and keeps whatever it is asked for, in raft term 5. */
#define COMPLIANT                                                                                                  \
    { "/v3/lease/grant", GRANT(1, 5), 0 }, { "/v3/kv/txn", ENTERED(1, 5), 0 }, { "/v3/kv/range", FOUND(1, 5), 0 }, \
        { "/v3/lease/keepalive", KEPT(1, 5), 0 }, { "/v3/lease/revoke", FOUND(1, 5), 0 },                          \
        { "/v3/watch", WATCHED(1, 5), 0 },                                                                         \
    {                                                                                                              \
        NULL, NULL, 0                                                                                              \
    }

/* A first answer to put before those, and whether the endpoint after this one must be asked in its place. */
static const struct {
    struct reply first;
    const char *words; /* NULL: the answer is good */
} passed_over[] = {
    { { "/v3/kv/txn", ENTERED(1, 5), 0 }, NULL },
    { { "/v3/kv/txn", ENTERED(1, 6), 0 }, NULL },
    { { "/v3/kv/txn", ENTERED(1, 4), 0 }, "a leader of the past" },
    { { "/v3/kv/txn", ENTERED(2, 5), 0 }, "another cluster" },
    { { "/v3/kv/txn", ENTERED(2, 6), 0 }, "another cluster" },
    { { "/v3/kv/txn", "{\"succeeded\":true,\"responses\":[]}", 0 }, "" },
    { { "/v3/kv/txn", NULL, 0 }, "imed out" },
};

/* An answer of an earlier raft term, or of another cluster, is refused, and the next endpoint is asked. */
START_TEST(test_passed_over)
{
    const struct reply good[] = { COMPLIANT }, first[] = { passed_over[_i].first, COMPLIANT };
    struct script *a = script_start(first), *b = script_start(good);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    const char *words = passed_over[_i].words;
    char both[200];

    options.lease_ms = 2000;
    snprintf(both, sizeof(both), "%s,%s", a->url, b->url);
    struct filelock *lock = etcd_with("over", a->url, NULL, NULL, &options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), words == NULL ? 0 : -EHOSTUNREACH);
    if (words != NULL)
        expect_described(lock, -EHOSTUNREACH, words);
    filelock_free(lock);
    ck_assert_int_eq(b->used[1], 0);
    lock = etcd_with("over", both, NULL, NULL, &options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(b->used[1], words == NULL ? 0 : 1);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    script_end(a);
    script_end(b);
}
END_TEST

/* True if the lock is held for longer than a lease that is not renewed. */
static int is_kept(const struct reply *replies, struct script **script)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    int kept;

    options.lease_ms = 2000;
    *script = script_start(replies);
    struct filelock *lock = etcd_with("kept", (*script)->url, NULL, NULL, &options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    kept = !readable_within(filelock_lost(lock), 2500);
    EXPECT(filelock_release(lock), kept ? 0 : -ESTALE);
    filelock_free(lock);
    return kept;
}

/*
 * A node that others have cut off counts terms up, and opens a watch all the same: only a call that a majority has
 * answered says which term it is.
 */
START_TEST(test_watch_of_a_node_cut_off)
{
    const struct reply replies[] = { { "/v3/watch", WATCHED(1, 50), 0 }, COMPLIANT };
    struct script *script;

    ck_assert(is_kept(replies, &script));
    ck_assert_int_gt(script->used[0], 0);
    script_end(script);
}
END_TEST

/*
 * A leader of the past, which does not know its successor yet, renews a lease for itself alone.  So a renewal counts
 * only if a majority has answered in the same term after it.
 */
START_TEST(test_renewed_by_a_leader_of_the_past)
{
    const struct reply replies[] = {
        { "/v3/lease/keepalive", KEPT(1, COUNTED), 0 },
        { "/v3/kv/range", FOUND(1, COUNTED), 0 },
        { "/v3/watch", NULL, 0 },
        { "/v3/kv/txn", ENTERED(1, COUNTED), 0 },
        { "/v3/lease/revoke", FOUND(1, COUNTED), 0 },
        { "/v3/lease/grant", GRANT(1, COUNTED), 0 },
        { NULL, NULL, 0 },
    };
    struct script *script;

    ck_assert(!is_kept(replies, &script));
    ck_assert_int_gt(script->used[0], 1);
    ck_assert_int_gt(script->used[1], 1);
    script_end(script);
}
END_TEST

/* A waiter that was renewed in an earlier term than that in which its turn comes is renewed again. */
START_TEST(test_waiter_renewed_by_a_leader_of_the_past)
{
    const struct reply replies[] = {
        { "/v3/lease/keepalive", KEPT(1, 5), 1 },
        { "/v3/lease/keepalive", KEPT(1, 6), 0 },
        { "/v3/kv/range", FOUND(1, 6), 0 },
        { "/v3/kv/txn", QUEUED(1, 5), 3 }, /* for a try, what leaves the queue after it, and the wait */
        { "/v3/kv/txn", ENTERED(1, 6), 0 },
        { "/v3/watch", "%w{\"result\":{" HEADER(1, 5) ",\"events\":[{\"type\":\"DELETE\"}]}}", 1 },
        COMPLIANT,
    };
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct script *script = script_start(replies);

    options.lease_ms = 2000;
    struct filelock *lock = etcd_with("terms", script->url, NULL, NULL, &options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_eq(script->used[0], 1);
    ck_assert_int_eq(script->used[1], 1);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    script_end(script);
}
END_TEST

/* A waiter sends nothing while it waits, but for what keeps its lease alive. */
START_TEST(test_waiter_is_quiet)
{
    const struct reply replies[] = {
        { "/v3/lease/keepalive", KEPT(1, 5), 0 },
        { "/v3/kv/range", FOUND(1, 5), 0 },
        { "/v3/watch", WATCHED(1, 5), 0 },
        { "/v3/kv/txn", QUEUED(1, 5), 0 },
        COMPLIANT,
    };
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct script *script = script_start(replies);

    options.lease_ms = 2000;
    struct filelock *lock = etcd_with("terms", script->url, NULL, NULL, &options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 2500), -ETIMEDOUT);
    ck_assert_int_ge(script->used[0], 1);
    ck_assert_int_le(script->used[0], 4);
    ck_assert_int_eq(script->used[1], 0);
    ck_assert_int_eq(script->used[2], 1);
    filelock_free(lock);
    script_end(script);
}
END_TEST

/* A watch from a revision that the cluster has forgotten is made again, after a look at the key. */
START_TEST(test_watch_of_a_forgotten_revision)
{
    const struct reply replies[] = {
        { "/v3/watch", "{\"result\":{" HEADER(1, 5) ",\"canceled\":true,\"compact_revision\":\"9\"}}", 2 },
        { "/v3/watch", "{\"result\":{" HEADER(1, 5) ",\"events\":[{\"type\":\"DELETE\"}]}}", 1 },
        { "/v3/lease/grant", "{" HEADER(1, 5) ",\"TTL\":\"600\"}", 0 }, /* no renewal reads the key */
        { "/v3/kv/range", FOUND(1, 5), 2 },
        { "/v3/kv/range", "{" HEADER(1, 5) "}", 1 },
        COMPLIANT,
    };
    struct script *script = script_start(replies);
    struct filelock *lock = etcd_with("forgotten", script->url, NULL, NULL, NULL);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(readable_within(filelock_lost(lock), PATIENCE_MS));
    ck_assert_int_eq(script->used[0], 2);
    ck_assert_int_eq(script->used[1], 1);
    EXPECT(filelock_release(lock), -ESTALE);
    expect_described(lock, -ESTALE, "its key was removed");
    filelock_free(lock);
    script_end(script);
}
END_TEST

/* A token that the cluster has forgotten is got again. */
START_TEST(test_token_forgotten)
{
    static const char invalid[] = "{\"error\":\"etcdserver: invalid auth token\",\"code\":16}";
    const struct reply replies[] = {
        { "/v3/auth/authenticate", "{" HEADER(1, 5) ",\"token\":\"t\"}", 0 },
        { "/v3/kv/txn", invalid, 1 },
        COMPLIANT,
    };
    struct script *script = script_start(replies);
    struct filelock *lock = etcd_with("token", script->url, "me", "secret", NULL);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(script->used[0], 2);
    ck_assert_int_eq(script->used[1], 1);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    script_end(script);
}
END_TEST

/* ---- Locks ---------------------------------------------------------------------------------- */

START_TEST(test_excludes)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("excl"), *same = etcd_lock("excl"), *reader = etcd_lock("excl");

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(same, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    EXPECT_TOOK(start, 100);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(same, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(reader, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(same), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    EXPECT(filelock_convert(reader, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOTSUP);
    EXPECT(filelock_release(reader), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(a);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(same);
    filelock_free(reader);
}
END_TEST

/* A reader waits for the writers before it, and not for the readers. */
START_TEST(test_waits_in_turn)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("turn"), *locks[3] = { etcd_lock("turn"), etcd_lock("turn"), etcd_lock("turn") };
    struct caller callers[3];

    for (int i = 0; i < 3; i++) {
        caller_start(&callers[i]);
        begin_acquire(&callers[i], locks[i], i == 2 ? FILELOCK_EXCLUSIVE : FILELOCK_SHARED, FILELOCK_FOREVER);
        wait_for_sleep(&callers[i]);
        nap_ms(300); /* the call sleeps before its key is in the queue: this makes the order likely, and no more */
    }
    EXPECT(filelock_release(a), 0);
    EXPECT(end_call(&callers[0]), 0);
    EXPECT(end_call(&callers[1]), 0);
    ck_assert(still_calling(&callers[2]));
    EXPECT(caller_call(&callers[0], CALL_RELEASE, locks[0]), 0);
    EXPECT(caller_call(&callers[1], CALL_RELEASE, locks[1]), 0);
    EXPECT(end_call(&callers[2]), 0);
    for (int i = 0; i < 3; i++) {
        caller_end(&callers[i]);
        filelock_free(locks[i]);
    }
    filelock_free(a);
}
END_TEST

START_TEST(test_cancelled)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("cancel");
    struct signal_pair cancel;
    waitable_open(&cancel);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.cancel = cancel.waitable;
    struct filelock *same = etcd_with("cancel", nodes.endpoints, NULL, NULL, &options);

    waitable_set(&cancel);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, PATIENCE_MS), -ECANCELED);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0); /* it has left the queue */
    filelock_free(a);
    filelock_free(same);
    waitable_close(&cancel);
}
END_TEST

START_TEST(test_questions)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("ask"), *same = etcd_lock("ask");
    struct filelock_owner owner = { .size = sizeof(owner) };
    uint64_t token, later;
    int64_t ms;

    EXPECT(filelock_token(a, &token), 0);
    EXPECT(filelock_check(a), 0);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert(ms > 0 && ms <= 13500);
    EXPECT(filelock_owner(same, &owner), 0);
    ck_assert_int_eq(owner.pid, own_pid());
    ck_assert_int_eq(owner.local, 1);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    expect_described(same, -ETIMEDOUT, "cannot acquire ask at once: held by pid");
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_owner(same, &owner), -ENOENT);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_token(same, &later), 0);
    ck_assert(later > token);
    token = later;
    EXPECT(filelock_release(same), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0); /* by the same lease, and the same key */
    EXPECT(filelock_token(same, &later), 0);
    ck_assert(later > token);
    filelock_free(a);
    filelock_free(same);
}
END_TEST

/* The lock "a/b" is another than "a", whose keys begin with "a/". */
START_TEST(test_names)
{
    NEEDS_NODES();
    struct filelock *below = held_lock("a/b"), *a = etcd_lock("a"), *percent = etcd_lock("a%2Fb");

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(percent, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(a), 0);
    ck_assert_int_eq(etcdctl("put", "a/b/1234", "", NULL), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(etcdctl("del", "a/b/1234", NULL, NULL), 0);
    filelock_free(below);
    filelock_free(a);
    filelock_free(percent);
}
END_TEST

/* ---- etcdctl lock --------------------------------------------------------------------------- */

START_TEST(test_etcdctl_holds)
{
    NEEDS_NODES();
    static const char *const arguments[] = { "lock", "ctl", NULL };
    struct filelock *a = held_lock("ctl"), *same = etcd_lock("ctl");
    struct caller caller;
    int from;
    char key[100];

    EXPECT(filelock_release(a), 0);
    pid_t pid = etcdctl_start(&from, arguments);
    ck_assert_int_gt(read(from, key, sizeof(key)), 0); /* it says which key it holds */
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(a, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    expect_described(a, -ETIMEDOUT, "held by another process");
    caller_start(&caller);
    begin_acquire(&caller, same, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    kill(pid, SIGTERM);
    EXPECT(end_call(&caller), 0);
    waitpid(pid, NULL, 0);
    close(from);
    EXPECT(caller_call(&caller, CALL_RELEASE, same), 0);
    caller_end(&caller);
    filelock_free(a);
    filelock_free(same);
}
END_TEST

START_TEST(test_etcdctl_waits)
{
    NEEDS_NODES();
    static const char *const arguments[] = { "lock", "ctl2", "echo", "it", "runs", NULL };
    struct filelock *a = held_lock("ctl2");
    int from, status;
    char text[100];

    pid_t pid = etcdctl_start(&from, arguments);
    ck_assert(!readable_within(from, 500));
    EXPECT(filelock_release(a), 0);
    ck_assert_int_gt(read(from, text, sizeof(text)), 0);
    waitpid(pid, &status, 0);
    ck_assert_int_eq(status, 0);
    close(from);
    filelock_free(a);
}
END_TEST

/* ---- Loss ----------------------------------------------------------------------------------- */

/* A deletion from outside is told. */
START_TEST(test_removed)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("gone"), *same = etcd_lock("gone");
    int64_t ms;

    ck_assert(!readable_within(filelock_lost(a), 0));
    ck_assert_int_eq(etcdctl("del", "--prefix", "gone/", NULL), 0);
    ck_assert(readable_within(filelock_lost(a), 2000));
    EXPECT(filelock_held(a), 1);
    EXPECT(filelock_check(a), -ESTALE);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert_int_eq(ms, 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ESTALE);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(a), -ESTALE);
    expect_described(a, -ESTALE, "its key was removed");
    EXPECT(filelock_held(a), 0);
    ck_assert(filelock_lost(a) == FILELOCK_NO_WAITABLE);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(same), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(!readable_within(filelock_lost(a), 0));
    filelock_free(a);
    filelock_free(same);
}
END_TEST

/* The cluster forgets old revisions while they watch: the holder is told of its loss, and the waiter gets the lock. */
START_TEST(test_compacted)
{
    NEEDS_NODES();
    struct filelock *a = held_lock("compacted"), *same = etcd_lock("compacted");
    struct caller caller;
    uint64_t token;
    char revision[24];

    caller_start(&caller);
    begin_acquire(&caller, same, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    for (int i = 0; i < 2; i++) {
        for (int puts = 0; puts < 3; puts++)
            ck_assert_int_eq(etcdctl("put", "x", "y", NULL), 0);
        EXPECT(filelock_token(a, &token), 0);
        snprintf(revision, sizeof(revision), "%llu", (unsigned long long) token + 2 + (unsigned) i * 3);
        ck_assert_int_eq(etcdctl("compact", revision, NULL, NULL), 0);
        ck_assert(!readable_within(filelock_lost(a), 500));
    }
    ck_assert(still_calling(&caller));
    ck_assert_int_eq(etcdctl("del", "--prefix", "compacted/", NULL), 0);
    ck_assert(readable_within(filelock_lost(a), 2000));
    EXPECT(filelock_release(a), -ESTALE);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, same), 0);
    caller_end(&caller);
    filelock_free(a);
    filelock_free(same);
}
END_TEST

/* A holder whose cluster does not answer loses the lock by its own clock, before the cluster can give it on. */
START_TEST(test_not_renewed)
{
    NEEDS_NODES();
    struct filelock *a = short_lock("late");
    int64_t ms;

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    nap_ms(2500); /* it is renewed meanwhile */
    EXPECT(filelock_check(a), 0);
    nodes_signal(SIGSTOP);
    ck_assert(readable_within(filelock_lost(a), PATIENCE_MS));
    EXPECT(filelock_check(a), -ESTALE);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert_int_eq(ms, 0);
    EXPECT(filelock_release(a), -ESTALE);
    expect_described(a, -ESTALE, "no endpoint answered, so that its lease was not renewed in time");
    nodes_signal(SIGCONT);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(a);
}
END_TEST

/* The lock of a holder that is killed goes to a waiter when its lease ends. */
START_TEST(test_killed)
{
    NEEDS_NODES();
    int ready[2];
    char byte;
    struct filelock *a = etcd_lock("killed");

    private_pipe(ready);
    pid_t child = fork();
    if (child == 0) {
        struct filelock *own = short_lock("killed");
        if (filelock_acquire(own, FILELOCK_EXCLUSIVE, PATIENCE_MS) == 0)
            (void) !write(ready[1], "", 1);
        pause();
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_lt((now_ns() - start) / 1000000, 2000 + 1000 + LATENESS_MS);
    close(ready[0]);
    filelock_free(a);
}
END_TEST

/* A forked child holds nothing, leaves its parent's lock alone, and uses connections of its own. */
START_TEST(test_fork)
{
    NEEDS_NODES();
    NEEDS_FORK_BESIDE_THREADS();
    struct filelock *a = held_lock("fork");
    int status;

    pid_t child = fork();
    if (child == 0) {
        int wrong = filelock_held(a) || filelock_release(a) != -EPERM ||
                    filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != -ETIMEDOUT;
        filelock_free(a);
        _exit(wrong);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    EXPECT(filelock_check(a), 0);
    EXPECT(filelock_release(a), 0);
    filelock_free(a);
}
END_TEST

/* ---- Endpoints ------------------------------------------------------------------------------ */

/* An endpoint that refuses, or hangs, does not keep the next from being asked. */
START_TEST(test_endpoints_in_turn)
{
    NEEDS_NODES();
    char endpoints[300];
    int refuses, hangs, first = free_port(&refuses), second = free_port(&hangs);
    filelock_free(held_lock("turns")); /* the node has started */

    ck_assert_int_eq(listen(hangs, 5), 0);
    snprintf(endpoints, sizeof(endpoints), "127.0.0.1:%d, http://127.0.0.1:%d/, %s", first, second, nodes.endpoints);
    struct filelock *a = etcd_with("turns", endpoints, NULL, NULL, NULL), *same = etcd_lock("turns");
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(a);
    filelock_free(same);
    close(refuses);
    close(hangs);
}
END_TEST

/* TLS with a server that has none is refused, not taken for silence. */
START_TEST(test_no_tls)
{
    NEEDS_NODES();
    char endpoint[100];
    filelock_free(held_lock("tls"));

    snprintf(endpoint, sizeof(endpoint), "https://127.0.0.1%s", strrchr(nodes.node[0].url, ':'));
    struct filelock *a = etcd_with("tls", endpoint, NULL, NULL, NULL);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EACCES);
    filelock_free(a);
}
END_TEST

/* How many answers are still to be dropped, for the proxy's processes. */
static volatile int *drops_left;

/* Forwards a connection to the node.  Drops the answer to a request that has this text, and ends the connection. */
static void forward(int client, const char *drops)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), dropping = 0;
    char bytes[65536];

    address.sin_port = htons((uint16_t) atoi(strrchr(nodes.node[0].url, ':') + 1));
    if (connect(server, (struct sockaddr *) &address, sizeof(address)) != 0)
        _exit(1);
    for (;;) {
        struct pollfd fds[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
        poll(fds, 2, -1);
        int i = fds[0].revents == 0;
        ssize_t n = read(fds[i].fd, bytes, sizeof(bytes) - 1);
        if (n <= 0 || (i == 1 && dropping))
            _exit(0);
        bytes[n] = '\0';
        dropping = dropping || (i == 0 && strstr(bytes, drops) != NULL && *drops_left > 0 && (*drops_left)-- > 0);
        if (write(fds[!i].fd, bytes, (size_t) n) != n)
            _exit(0);
    }
}

/* The proxy ends itself, and its process group, when the test's end of this pipe is closed. */
static int proxy_pipe[2];

/* Starts a proxy that drops so many answers to these requests.  The proxy and its children are a process group. */
static pid_t proxy_start(const char *drops, int count, char *url, size_t size)
{
    int fd, port = free_port(&fd);

    drops_left = mmap(NULL, sizeof(*drops_left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(drops_left != MAP_FAILED);
    *drops_left = count;

    ck_assert_int_eq(listen(fd, 16), 0);
    private_pipe(proxy_pipe);
    snprintf(url, size, "http://127.0.0.1:%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        close(proxy_pipe[1]);
        for (;;) {
            struct pollfd fds[2] = { { fd, POLLIN, 0 }, { proxy_pipe[0], POLLIN, 0 } };
            poll(fds, 2, -1);
            if (fds[1].revents != 0)
                kill(0, SIGKILL);
            int client = accept(fd, NULL, NULL);
            if (client >= 0 && fork() == 0)
                forward(client, drops);
            close(client);
        }
    }
    setpgid(pid, pid);
    close(fd);
    close(proxy_pipe[0]);
    return pid;
}

static void proxy_end(pid_t pid)
{
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(proxy_pipe[1]);
}

/* Answers to writes that get lost never leave a lock behind. */
START_TEST(test_lost_answers)
{
    NEEDS_NODES();
    static const char *const dropped[] = { "/v3/kv/txn", "/v3/lease/grant", "/v3/lease/revoke", "/v3/kv/range" };
    char url[64], both[300];
    pid_t proxy = proxy_start(dropped[_i], INT_MAX, url, sizeof(url));
    struct filelock *same = etcd_lock("lossy");
    filelock_free(held_lock("lossy"));

    /* All answers of that kind get lost. */
    struct filelock *a = etcd_with("lossy", url, NULL, NULL, NULL);
    int rc = filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    ck_assert_msg(rc == (_i < 2 ? -EHOSTUNREACH : 0), "%d", rc);
    if (rc == 0) {
        EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(filelock_release(a), 0);
    }
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(same), 0);
    filelock_free(a);

    /* They get lost at the first endpoint. */
    snprintf(both, sizeof(both), "%s,%s", url, nodes.endpoints);
    a = etcd_with("lossy", both, NULL, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, i == 0 ? FILELOCK_TRY : PATIENCE_MS), 0);
        EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(filelock_release(a), 0);
        EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(same), 0);
    }
    filelock_free(a);
    filelock_free(same);
    proxy_end(proxy);
}
END_TEST

/* A release whose answer gets lost once has released, however often its request is sent again. */
START_TEST(test_answer_lost_once)
{
    NEEDS_NODES();
    char url[64];
    pid_t proxy = proxy_start("request_delete_range", 1, url, sizeof(url));
    filelock_free(held_lock("once"));

    struct filelock *a = etcd_with("once", url, NULL, NULL, NULL), *same = etcd_lock("once");
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(a), 0);
    ck_assert_int_eq(*drops_left, 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(a);
    filelock_free(same);
    proxy_end(proxy);
}
END_TEST

/* Returns how many leases the cluster has. */
static int count_leases(void)
{
    const char *arguments[] = { "lease", "list", NULL };
    int from, count = -1;
    pid_t pid = etcdctl_start(&from, arguments);
    char text[200] = "";

    (void) !read(from, text, sizeof(text) - 1);
    close(from);
    waitpid(pid, NULL, 0);
    ck_assert_msg(sscanf(text, "found %d leases", &count) == 1, "%s", text);
    return count;
}

/* A write that may still be done when TRY has found the lock held is kept from it: its lease is revoked. */
START_TEST(test_lost_answer_of_a_try)
{
    NEEDS_NODES();
    char url[64], both[300];
    pid_t proxy = proxy_start("/v3/kv/txn", INT_MAX, url, sizeof(url));
    struct filelock *holder = held_lock("tried");
    int before = count_leases();

    snprintf(both, sizeof(both), "%s,%s", url, nodes.endpoints);
    struct filelock *a = etcd_with("tried", both, NULL, NULL, NULL);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(count_leases(), before);
    filelock_free(a);
    filelock_free(holder);
    proxy_end(proxy);
}
END_TEST

/* ---- TLS ------------------------------------------------------------------------------------- */

/* The files of an authority, a server and a client that it knows, and of another authority. */
static struct {
    char ca[300], server[300], server_key[300], client[300], client_key[300], other[300];
} tls;

/* Makes a certificate for the loopback address, signed by the authority, or by itself if it is one. */
static int make_certificate(const char *openssl, const char *subject, const char *ca, char *certificate, char *key)
{
    char request[300], ca_key[300], command[3000];

    snprintf(certificate, 300, "%s/%s.pem", nodes.directory, subject);
    snprintf(key, 300, "%s/%s.key", nodes.directory, subject);
    snprintf(request, sizeof(request), "%s/request", nodes.directory);
    snprintf(ca_key, sizeof(ca_key), "%s/ca.key", nodes.directory);
    if (ca == NULL)
        snprintf(command, sizeof(command),
                 "'%s' req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=%s' -keyout '%s' -out '%s' 2>/dev/null",
                 openssl, subject, key, certificate);
    else
        snprintf(command, sizeof(command),
                 "cd '%s' && echo 'subjectAltName=IP:127.0.0.1' >names && "
                 "'%s' req -newkey rsa:2048 -nodes -subj '/CN=%s' -keyout '%s' -out '%s' 2>/dev/null && "
                 "'%s' x509 -req -in '%s' -CA '%s' -CAkey '%s' -CAcreateserial -days 2 -extfile names -out '%s' "
                 "2>/dev/null",
                 nodes.directory, openssl, subject, key, request, openssl, request, ca, ca_key, certificate);
    return system(command);
}

/* Starts a node that speaks TLS, and knows its clients by their certificates. */
static void tls_start(void)
{
    char openssl[256], key[300];

    nodes.count = 0;
    if (!find_program("openssl", openssl, sizeof(openssl)) ||
        make_scratch(NULL, nodes.directory, sizeof(nodes.directory)) != 0)
        return;
    if (make_certificate(openssl, "ca", NULL, tls.ca, key) != 0 ||
        make_certificate(openssl, "other", NULL, tls.other, key) != 0 ||
        make_certificate(openssl, "server", tls.ca, tls.server, tls.server_key) != 0 ||
        make_certificate(openssl, "client", tls.ca, tls.client, tls.client_key) != 0) {
        fprintf(stderr, "test_etcd: openssl has made no certificates\n");
        abort();
    }
    nodes.certificate = tls.server;
    nodes.certificate_key = tls.server_key;
    nodes.trusted = tls.ca;
    nodes_start_count(1);
}

static void tls_end(void)
{
    nodes_end();
    nodes.certificate = nodes.certificate_key = nodes.trusted = NULL;
}

/* Returns what an acquire does with these files. */
static int acquire_by_tls(const char *ca, const char *certificate, const char *key, int64_t timeout_ms)
{
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock *lock;
    int rc;

    etcd.endpoints = nodes.endpoints;
    etcd.ca_file = ca;
    etcd.cert_file = certificate;
    etcd.key_file = key;
    EXPECT(filelock_etcd_new(&lock, "tls", NULL, &etcd), 0);
    rc = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
    if (rc == 0)
        EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    return rc;
}

/* Both sides of TLS refuse each other unless the right authority has signed their certificates. */
START_TEST(test_tls)
{
    if (nodes.count == 0)
        SKIP("wants etcd, etcdctl and openssl (Debian: etcd-server, etcd-client, openssl)");

    EXPECT(acquire_by_tls(tls.ca, tls.client, tls.client_key, PATIENCE_MS), 0);
    EXPECT(acquire_by_tls(tls.ca, tls.client, tls.client_key, FILELOCK_TRY), 0);
    EXPECT(acquire_by_tls(tls.other, tls.client, tls.client_key, FILELOCK_TRY), -EACCES);
    EXPECT(acquire_by_tls(NULL, tls.client, tls.client_key, PATIENCE_MS), -EACCES);
    EXPECT(acquire_by_tls(tls.ca, NULL, NULL, PATIENCE_MS), -EACCES);
    EXPECT(acquire_by_tls(tls.ca, tls.other, tls.client_key, FILELOCK_TRY), -EACCES);
    EXPECT(acquire_by_tls("/nowhere", tls.client, tls.client_key, FILELOCK_TRY), -EACCES);
}
END_TEST

/* ---- Authentication ------------------------------------------------------------------------- */

START_TEST(test_authentication)
{
    NEEDS_NODES();
    struct filelock *none = etcd_lock("auth"), *wrong = etcd_with("auth", nodes.endpoints, "root", "no", NULL);
    struct filelock *right = etcd_with("auth", nodes.endpoints, "root", "secret", NULL);

    filelock_free(held_lock("auth"));
    EXPECT(filelock_acquire(right, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EACCES); /* the cluster knows no users yet */
    ck_assert_int_eq(etcdctl("user", "add", "root:secret", NULL), 0);
    ck_assert_int_eq(etcdctl("user", "grant-role", "root", "root"), 0);
    ck_assert_int_eq(etcdctl("auth", "enable", NULL, NULL), 0);
    EXPECT(filelock_acquire(none, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EACCES);
    EXPECT(filelock_acquire(none, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EACCES);
    EXPECT(filelock_acquire(wrong, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EACCES);
    expect_described(wrong, -EACCES, "authentication failed");
    EXPECT(filelock_acquire(right, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(right), 0);
    filelock_free(none);
    filelock_free(wrong);
    filelock_free(right);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("etcd");
    TCase *offline = add_case(suite, "offline");
    tcase_add_test(offline, test_options);
    tcase_add_test(offline, test_unreachable);
    tcase_add_loop_test(offline, test_answers, 0, (int) (sizeof(answers) / sizeof(*answers)));
    TCase *scripted = add_case(suite, "scripted");
    tcase_add_loop_test(scripted, test_passed_over, 0, (int) (sizeof(passed_over) / sizeof(*passed_over)));
    tcase_add_test(scripted, test_watch_of_a_node_cut_off);
    tcase_add_test(scripted, test_renewed_by_a_leader_of_the_past);
    tcase_add_test(scripted, test_waiter_renewed_by_a_leader_of_the_past);
    tcase_add_test(scripted, test_waiter_is_quiet);
    tcase_add_test(scripted, test_watch_of_a_forgotten_revision);
    tcase_add_test(scripted, test_token_forgotten);
    TCase *locks = add_case(suite, "locks");
    tcase_add_unchecked_fixture(locks, nodes_start, nodes_end);
    tcase_add_test(locks, test_excludes);
    tcase_add_test(locks, test_waits_in_turn);
    tcase_add_test(locks, test_cancelled);
    tcase_add_test(locks, test_questions);
    tcase_add_test(locks, test_names);
    tcase_add_test(locks, test_etcdctl_holds);
    tcase_add_test(locks, test_etcdctl_waits);
    tcase_add_test(locks, test_removed);
    tcase_add_test(locks, test_compacted);
    tcase_add_test(locks, test_killed);
    tcase_add_test(locks, test_fork);
    tcase_add_test(locks, test_not_renewed);
    TCase *endpoints = add_case(suite, "endpoints");
    tcase_add_unchecked_fixture(endpoints, nodes_start, nodes_end);
    tcase_add_test(endpoints, test_endpoints_in_turn);
    tcase_add_test(endpoints, test_no_tls);
    tcase_add_loop_test(endpoints, test_lost_answers, 0, 4);
    tcase_add_test(endpoints, test_answer_lost_once);
    tcase_add_test(endpoints, test_lost_answer_of_a_try);
    TCase *by_tls = add_case(suite, "tls");
    tcase_add_unchecked_fixture(by_tls, tls_start, tls_end);
    tcase_add_test(by_tls, test_tls);
    TCase *users = add_case(suite, "users");
    tcase_add_unchecked_fixture(users, nodes_start, nodes_end);
    tcase_add_test(users, test_authentication);
    return suite;
}
