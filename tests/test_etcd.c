/* SPDX-License-Identifier: MIT
 *
 * test_etcd.c - locks that a cluster of etcd keeps.  Each case has a node of its own, on the loopback interface.
 */
#include "markers.h"
#include "posix.h"

#include <arpa/inet.h>
#include <filelock-etcd.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- A node --------------------------------------------------------------------------------- */

static struct {
    char directory[256], url[64], server[256], etcdctl[256];
    pid_t pid; /* 0: etcd is not installed */
} node;

/* Returns a port that no process listens on, and a socket that keeps it until it is closed. */
static int free_port(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *) &address, size) != 0 ||
        getsockname(*fd, (struct sockaddr *) &address, &size) != 0)
        abort();
    return ntohs(address.sin_port);
}

static int is_answering(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    address.sin_port = htons((uint16_t) port);
    error = connect(fd, (struct sockaddr *) &address, sizeof(address));
    close(fd);
    return error == 0;
}

/* Starts a node at two ports that were free just before.  Returns 0 if it ends, as when another program took one. */
static int node_try(void)
{
    char peer[64], cluster[80], data[300], log[300];
    int first, second, port = free_port(&first);
    int64_t end = now_ns() + INT64_C(1000000) * PATIENCE_MS;

    snprintf(node.url, sizeof(node.url), "http://127.0.0.1:%d", port);
    snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", free_port(&second));
    snprintf(cluster, sizeof(cluster), "n=%s", peer);
    snprintf(data, sizeof(data), "%s/data", node.directory);
    snprintf(log, sizeof(log), "%s/log", node.directory);
    close(first);
    close(second);
    node.pid = fork();
    if (node.pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(node.server, node.server, "--name", "n", "--data-dir", data, "--listen-client-urls", node.url,
              "--advertise-client-urls", node.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
              "--initial-cluster", cluster, "--heartbeat-interval", "20", "--election-timeout", "200", (char *) NULL);
        _exit(127);
    }
    while (waitpid(node.pid, NULL, WNOHANG) == 0) {
        if (is_answering(port))
            return 1;
        if (now_ns() > end) {
            kill(node.pid, SIGKILL);
            waitpid(node.pid, NULL, 0);
            break;
        }
        nap_ms(10);
    }
    remove_tree(data);
    return 0;
}

static void node_start(void)
{
    node.pid = 0;
    if (!find_program("etcd", node.server, sizeof(node.server)) ||
        !find_program("etcdctl", node.etcdctl, sizeof(node.etcdctl)) ||
        make_scratch(NULL, node.directory, sizeof(node.directory)) != 0)
        return;
    for (int tries = 5; tries > 0; tries--)
        if (node_try())
            return;
    fprintf(stderr, "test_etcd: no node of etcd can be started\n");
    abort();
}

static void node_end(void)
{
    if (node.pid <= 0)
        return;
    kill(node.pid, SIGCONT);
    kill(node.pid, SIGKILL);
    waitpid(node.pid, NULL, 0);
    remove_tree(node.directory);
}

#define NEEDS_NODE()                                                           \
    do {                                                                       \
        if (node.pid == 0)                                                     \
            SKIP("wants etcd and etcdctl (Debian: etcd-server, etcd-client)"); \
    } while (0)

/* Makes a pipe that programs do not inherit. */
static void private_pipe(int ends[2])
{
    ck_assert_int_eq(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

/* ---- Handles and commands ------------------------------------------------------------------- */

static struct filelock *etcd_with(const char *name, const char *endpoints, const char *user, const char *password,
                                  const struct filelock_options *options)
{
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock *lock;

    etcd.endpoints = endpoints;
    etcd.user = user;
    etcd.password = password;
    EXPECT(filelock_etcd_new(&lock, name, options, &etcd), 0);
    return lock;
}

static struct filelock *etcd_lock(const char *name)
{
    return etcd_with(name, node.url, NULL, NULL, NULL);
}

static struct filelock *short_lock(const char *name)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;

    options.lease_ms = 2000;
    return etcd_with(name, node.url, NULL, NULL, &options);
}

/* Takes the lock; waits until the node has started. */
static struct filelock *held_lock(const char *name)
{
    struct filelock *lock = etcd_lock(name);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    return lock;
}

/* Runs etcdctl with these arguments, and returns its status.  What it prints comes to *from, unless that is NULL. */
static pid_t etcdctl_start(int *from, const char *const *arguments)
{
    char endpoints[100];
    const char *argv[12] = { node.etcdctl, endpoints };
    int ends[2], count = 2;

    snprintf(endpoints, sizeof(endpoints), "--endpoints=%s", node.url);
    while (*arguments != NULL)
        argv[count++] = *arguments++;
    private_pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("ETCDCTL_API", "3", 1);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execv(argv[0], (char *const *) argv);
        _exit(127);
    }
    close(ends[1]);
    *from = ends[0];
    return pid;
}

static int etcdctl(const char *first, const char *second, const char *third, const char *fourth)
{
    const char *arguments[] = { first, second, third, fourth, NULL };
    int from, status;
    pid_t pid = etcdctl_start(&from, arguments);
    char text[200];

    while (read(from, text, sizeof(text)) > 0)
        ;
    close(from);
    waitpid(pid, &status, 0);
    return status;
}

static void expect_described(const struct filelock *lock, int error, const char *words)
{
    char text[600];

    filelock_describe(lock, error, text, sizeof(text));
    ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

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

/* ---- Locks ---------------------------------------------------------------------------------- */

START_TEST(test_excludes)
{
    NEEDS_NODE();
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
    NEEDS_NODE();
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
    NEEDS_NODE();
    struct filelock *a = held_lock("cancel");
    struct signal_pair cancel;
    waitable_open(&cancel);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.cancel = cancel.waitable;
    struct filelock *same = etcd_with("cancel", node.url, NULL, NULL, &options);

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
    NEEDS_NODE();
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
    NEEDS_NODE();
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
    NEEDS_NODE();
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
    NEEDS_NODE();
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
    NEEDS_NODE();
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

/* A holder whose cluster does not answer loses the lock by its own clock, before the cluster can give it on. */
START_TEST(test_not_renewed)
{
    NEEDS_NODE();
    struct filelock *a = short_lock("late");
    int64_t ms;

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    nap_ms(2500); /* it is renewed meanwhile */
    EXPECT(filelock_check(a), 0);
    kill(node.pid, SIGSTOP);
    ck_assert(readable_within(filelock_lost(a), PATIENCE_MS));
    EXPECT(filelock_check(a), -ESTALE);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert_int_eq(ms, 0);
    EXPECT(filelock_release(a), -ESTALE);
    expect_described(a, -ESTALE, "no endpoint answered, so that its lease was not renewed in time");
    kill(node.pid, SIGCONT);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(a);
}
END_TEST

/* The lock of a holder that is killed goes to a waiter when its lease ends. */
START_TEST(test_killed)
{
    NEEDS_NODE();
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
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    close(ready[0]);
    filelock_free(a);
}
END_TEST

/* A forked child holds nothing, leaves its parent's lock alone, and uses connections of its own. */
START_TEST(test_fork)
{
    NEEDS_NODE();
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
    NEEDS_NODE();
    char endpoints[200];
    int refuses, hangs, first = free_port(&refuses), second = free_port(&hangs);
    filelock_free(held_lock("turns")); /* the node has started */

    ck_assert_int_eq(listen(hangs, 5), 0);
    snprintf(endpoints, sizeof(endpoints), "127.0.0.1:%d, http://127.0.0.1:%d/, %s", first, second, node.url);
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
    NEEDS_NODE();
    char endpoint[100];
    filelock_free(held_lock("tls"));

    snprintf(endpoint, sizeof(endpoint), "https://127.0.0.1%s", strrchr(node.url, ':'));
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

    address.sin_port = htons((uint16_t) atoi(strrchr(node.url, ':') + 1));
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
    NEEDS_NODE();
    static const char *const dropped[] = { "/v3/kv/txn", "/v3/lease/grant", "/v3/lease/revoke", "/v3/kv/range" };
    char url[64], both[200];
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
    snprintf(both, sizeof(both), "%s,%s", url, node.url);
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
    NEEDS_NODE();
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
    NEEDS_NODE();
    char url[64], both[200];
    pid_t proxy = proxy_start("/v3/kv/txn", INT_MAX, url, sizeof(url));
    struct filelock *holder = held_lock("tried");
    int before = count_leases();

    snprintf(both, sizeof(both), "%s,%s", url, node.url);
    struct filelock *a = etcd_with("tried", both, NULL, NULL, NULL);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(count_leases(), before);
    filelock_free(a);
    filelock_free(holder);
    proxy_end(proxy);
}
END_TEST

/* ---- Authentication ------------------------------------------------------------------------- */

START_TEST(test_authentication)
{
    NEEDS_NODE();
    struct filelock *none = etcd_lock("auth"), *wrong = etcd_with("auth", node.url, "root", "no", NULL);
    struct filelock *right = etcd_with("auth", node.url, "root", "secret", NULL);

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
    TCase *locks = add_case(suite, "locks");
    tcase_add_unchecked_fixture(locks, node_start, node_end);
    tcase_add_test(locks, test_excludes);
    tcase_add_test(locks, test_waits_in_turn);
    tcase_add_test(locks, test_cancelled);
    tcase_add_test(locks, test_questions);
    tcase_add_test(locks, test_names);
    tcase_add_test(locks, test_etcdctl_holds);
    tcase_add_test(locks, test_etcdctl_waits);
    tcase_add_test(locks, test_removed);
    tcase_add_test(locks, test_killed);
    tcase_add_test(locks, test_fork);
    tcase_add_test(locks, test_not_renewed);
    TCase *endpoints = add_case(suite, "endpoints");
    tcase_add_unchecked_fixture(endpoints, node_start, node_end);
    tcase_add_test(endpoints, test_endpoints_in_turn);
    tcase_add_test(endpoints, test_no_tls);
    tcase_add_loop_test(endpoints, test_lost_answers, 0, 4);
    tcase_add_test(endpoints, test_answer_lost_once);
    tcase_add_test(endpoints, test_lost_answer_of_a_try);
    TCase *users = add_case(suite, "users");
    tcase_add_unchecked_fixture(users, node_start, node_end);
    tcase_add_test(users, test_authentication);
    return suite;
}
