/* SPDX-License-Identifier: MIT
 *
 * Nodes of etcd, and what is played in their place.
 */
#include "etcd_nodes.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct nodes nodes;

/* ---- Nodes ---------------------------------------------------------------------------------- */

int free_port(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *) &address, size) != 0 ||
        getsockname(*fd, (struct sockaddr *) &address, &size) != 0)
        abort();
    return ntohs(address.sin_port);
}

static int is_answering(const char *url)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    address.sin_port = htons((uint16_t) atoi(strrchr(url, ':') + 1));
    error = connect(fd, (struct sockaddr *) &address, sizeof(address));
    close(fd);
    return error == 0;
}

/* Gives each node two ports that no process listens on. */
static void choose_ports(void)
{
    int fds[2 * MAX_NODES], used = 0;

    nodes.endpoints[0] = '\0';
    for (int i = 0; i < nodes.count; i++) {
        struct node *node = &nodes.node[i];
        snprintf(node->url, sizeof(node->url), "%s://127.0.0.1:%d", nodes.certificate ? "https" : "http",
                 free_port(&fds[used++]));
        snprintf(node->peer, sizeof(node->peer), "http://127.0.0.1:%d", free_port(&fds[used++]));
        strcat(strcat(nodes.endpoints, i > 0 ? "," : ""), node->url);
    }
    while (used > 0)
        close(fds[--used]);
}

/* Becomes a node. */
static void run_node(int number, const char *cluster)
{
    const struct node *node = &nodes.node[number];
    char name[16], data[300], log[300];
    const char *arguments[40];
    int count = 0, fd;
    snprintf(name, sizeof(name), "n%d", number);
    snprintf(data, sizeof(data), "%s/data%d", nodes.directory, number);
    snprintf(log, sizeof(log), "%s/log%d", nodes.directory, number);
    /* Elections are fast, and three nodes on a busy machine still hear of each other in time. */
    const char *const common[] = { nodes.server,
                                   "--name",
                                   name,
                                   "--data-dir",
                                   data,
                                   "--listen-client-urls",
                                   node->url,
                                   "--advertise-client-urls",
                                   node->url,
                                   "--listen-peer-urls",
                                   node->peer,
                                   "--initial-advertise-peer-urls",
                                   node->peer,
                                   "--initial-cluster",
                                   cluster,
                                   "--heartbeat-interval",
                                   nodes.count > 1 ? "50" : "20",
                                   "--election-timeout",
                                   nodes.count > 1 ? "500" : "200" };

    for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
        arguments[count++] = common[i];
    if (nodes.certificate != NULL) {
        arguments[count++] = "--cert-file";
        arguments[count++] = nodes.certificate;
        arguments[count++] = "--key-file";
        arguments[count++] = nodes.certificate_key;
    }
    if (nodes.trusted != NULL) {
        arguments[count++] = "--client-cert-auth";
        arguments[count++] = "--trusted-ca-file";
        arguments[count++] = nodes.trusted;
    }
    arguments[count] = NULL;
    fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execv(nodes.server, (char *const *) arguments);
    _exit(127);
}

static void kill_nodes(void)
{
    char data[300];

    for (int i = 0; i < nodes.count; i++) {
        if (nodes.node[i].pid > 0) {
            kill(nodes.node[i].pid, SIGCONT);
            kill(nodes.node[i].pid, SIGKILL);
            waitpid(nodes.node[i].pid, NULL, 0);
        }
        nodes.node[i].pid = 0;
        snprintf(data, sizeof(data), "%s/data%d", nodes.directory, i);
        remove_tree(data);
    }
}

/* Returns when the node listens.  Returns 0 if it ends, as when another program took a port of it. */
static int listens(struct node *node)
{
    int64_t end = now_ns() + INT64_C(1000000) * PATIENCE_MS;

    while (waitpid(node->pid, NULL, WNOHANG) == 0 && now_ns() < end) {
        if (is_answering(node->url))
            return 1;
        nap_ms(10);
    }
    return 0;
}

/* Starts the nodes at ports that were free just before. */
static int nodes_try(void)
{
    char cluster[300] = "";
    int good = 1;

    choose_ports();
    for (int i = 0; i < nodes.count; i++)
        snprintf(cluster + strlen(cluster), sizeof(cluster) - strlen(cluster), "%sn%d=%s", i > 0 ? "," : "", i,
                 nodes.node[i].peer);
    for (int i = 0; i < nodes.count; i++) {
        nodes.node[i].pid = fork();
        if (nodes.node[i].pid == 0)
            run_node(i, cluster);
    }
    for (int i = 0; i < nodes.count && good; i++)
        good = listens(&nodes.node[i]);
    if (!good)
        kill_nodes();
    return good;
}

void nodes_start_count(int count)
{
    nodes.count = 0;
    if (!find_program("etcd", nodes.server, sizeof(nodes.server)) ||
        !find_program("etcdctl", nodes.etcdctl, sizeof(nodes.etcdctl)) ||
        (nodes.directory[0] == '\0' && make_scratch(NULL, nodes.directory, sizeof(nodes.directory)) != 0))
        return;
    nodes.count = count;
    for (int tries = 5; tries > 0; tries--)
        if (nodes_try())
            return;
    fprintf(stderr, "no node of etcd can be started\n");
    abort();
}

void nodes_start(void)
{
    const char *count = getenv("FILELOCK_TEST_ETCD_NODES");

    nodes_start_count(count != NULL && !strcmp(count, "3") ? 3 : 1);
}

void nodes_start_three(void)
{
    nodes_start_count(3);
}

void nodes_end(void)
{
    kill_nodes();
    if (nodes.directory[0] != '\0')
        remove_tree(nodes.directory);
    nodes.directory[0] = '\0';
    nodes.count = 0;
}

void nodes_signal(int number)
{
    for (int i = 0; i < nodes.count; i++)
        kill(nodes.node[i].pid, number);
}

/* ---- etcdctl -------------------------------------------------------------------------------- */

void private_pipe(int ends[2])
{
    ck_assert_int_eq(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

static pid_t start_at(const char *endpoints, int *from, const char *const *arguments)
{
    char option[300];
    const char *argv[12] = { nodes.etcdctl, option };
    int ends[2], count = 2;

    snprintf(option, sizeof(option), "--endpoints=%s", endpoints);
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

pid_t etcdctl_start(int *from, const char *const *arguments)
{
    return start_at(nodes.endpoints, from, arguments);
}

/* Waits for the end of etcdctl, and returns its status. */
static int finish(pid_t pid, int from, char *text, size_t size)
{
    size_t got = 0;
    ssize_t n;
    int status;

    while ((n = read(from, text + got, size - 1 - got)) > 0)
        got += (size_t) n;
    text[got] = '\0';
    close(from);
    waitpid(pid, &status, 0);
    return status;
}

int etcdctl(const char *first, const char *second, const char *third, const char *fourth)
{
    const char *arguments[] = { first, second, third, fourth, NULL };
    char text[4000];
    int from;
    pid_t pid = etcdctl_start(&from, arguments);

    return finish(pid, from, text, sizeof(text));
}

/* True if the node says of itself that it leads: "address, id, version, size, leads, ...". */
static int leads(const struct node *node)
{
    static const char *const arguments[] = { "endpoint", "status", "--command-timeout=1s", NULL };
    char text[4000];
    int from;
    pid_t pid = start_at(node->url, &from, arguments);

    return finish(pid, from, text, sizeof(text)) == 0 && strstr(text, "B, true,") != NULL;
}

int nodes_leader(void)
{
    for (;;) {
        for (int i = 0; i < nodes.count; i++)
            if (leads(&nodes.node[i]))
                return i;
        nap_ms(50);
    }
}

/* ---- Handles -------------------------------------------------------------------------------- */

struct filelock *etcd_with(const char *name, const char *endpoints, const char *user, const char *password,
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

struct filelock *etcd_lock(const char *name)
{
    return etcd_with(name, nodes.endpoints, NULL, NULL, NULL);
}

struct filelock *short_lock(const char *name)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;

    options.lease_ms = 2000;
    return etcd_with(name, nodes.endpoints, NULL, NULL, &options);
}

struct filelock *held_lock(const char *name)
{
    struct filelock *lock = etcd_lock(name);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    return lock;
}

void expect_described(const struct filelock *lock, int error, const char *words)
{
    char text[600];

    filelock_describe(lock, error, text, sizeof(text));
    ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

/* ---- A server that answers in the place of a node -------------------------------------------- */

#define MAX_CLIENTS 32

/* A connection, and what came of a request that is not complete. */
struct connection {
    int fd;
    size_t size;
    char bytes[65536];
};

/* Returns the length of the request, or 0: it is not complete. */
static size_t request_length(const char *bytes, size_t size)
{
    const char *body = strstr(bytes, "\r\n\r\n"), *length = strstr(bytes, "Content-Length: ");
    size_t whole;

    if (body == NULL || length == NULL || length > body)
        return 0;
    whole = (size_t) (body + 4 - bytes) + strtoul(length + strlen("Content-Length: "), NULL, 10);
    return whole <= size ? whole : 0;
}

/* Keeps the key that a request puts. */
static void note_key(const char *request, char *key, size_t size)
{
    static const char put[] = "\"request_put\":{\"key\":\"";
    const char *at = strstr(request, put);

    if (at != NULL)
        snprintf(key, size, "%.*s", (int) strcspn(at + strlen(put), "\""), at + strlen(put));
}

static void fill_body(struct script *script, const char *form, const char *request, char *body, size_t size)
{
    static const char counted[] = "COUNTED";
    static char key[500];
    size_t used = 0;

    note_key(request, key, sizeof(key));
    body[0] = '\0';
    while (*form != '\0' && used + sizeof(key) < size) {
        if (strncmp(form, "%k", 2) == 0)
            used += (size_t) snprintf(body + used, size - used, "%s", key);
        else if (strncmp(form, counted, strlen(counted)) == 0)
            used += (size_t) snprintf(body + used, size - used, "%d", ++script->terms);
        else if (strncmp(form, "%w", 2) == 0)
            nap_ms(1000);
        else
            body[used++] = *form;
        body[used] = '\0';
        form += *form == '%' ? 2 : strncmp(form, counted, strlen(counted)) == 0 ? strlen(counted) : 1;
    }
}

/* Answers a request.  A client that has gone does not matter. */
static void answer(struct script *script, const struct reply *replies, int fd, const char *request)
{
    char body[4000];

    for (int i = 0; replies[i].path != NULL; i++) {
        const struct reply *reply = &replies[i];
        size_t length = strlen(reply->path);

        if (strncmp(request + strlen("POST "), reply->path, length) != 0 ||
            (reply->times != 0 && script->used[i] >= reply->times))
            continue;
        script->used[i]++;
        if (reply->body == NULL)
            return;
        fill_body(script, reply->body, request, body, sizeof(body));
        if (strcmp(reply->path, "/v3/watch") == 0)
            dprintf(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\n\r\n", strlen(body) + 1, body);
        else
            dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
        return;
    }
    dprintf(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

/* Reads what has come, and answers what is complete.  Returns 0 at the end of the connection. */
static int go_on(struct script *script, const struct reply *replies, struct connection *connection)
{
    ssize_t n =
        read(connection->fd, connection->bytes + connection->size, sizeof(connection->bytes) - 1 - connection->size);
    size_t length;

    if (n <= 0)
        return 0;
    connection->size += (size_t) n;
    connection->bytes[connection->size] = '\0';
    while ((length = request_length(connection->bytes, connection->size)) > 0) {
        answer(script, replies, connection->fd, connection->bytes);
        connection->size -= length;
        memmove(connection->bytes, connection->bytes + length, connection->size + 1);
    }
    return 1;
}

/* Serves until the test has ended: then there is no writer of the pipe. */
static void play(struct script *script, const struct reply *replies, int listening, int pipe_end)
{
    static struct connection connections[MAX_CLIENTS];
    struct pollfd fds[MAX_CLIENTS + 2];
    int count = 0;

    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        fds[0] = (struct pollfd) { pipe_end, POLLIN, 0 };
        fds[1] = (struct pollfd) { listening, POLLIN, 0 };
        for (int i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd) { connections[i].fd, POLLIN, 0 };
        poll(fds, (nfds_t) count + 2, -1);
        if (fds[0].revents != 0)
            _exit(0);
        for (int i = count - 1; i >= 0; i--)
            if (fds[i + 2].revents != 0 && !go_on(script, replies, &connections[i])) {
                close(connections[i].fd);
                connections[i] = connections[--count];
            }
        if (fds[1].revents != 0 && count < MAX_CLIENTS)
            connections[count++] = (struct connection) { accept(listening, NULL, NULL), 0, "" };
    }
}

struct script *script_start(const struct reply *replies)
{
    struct script *script = mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int fd, ends[2], port = free_port(&fd);

    ck_assert(script != MAP_FAILED);
    ck_assert_int_eq(listen(fd, 16), 0);
    snprintf(script->url, sizeof(script->url), "http://127.0.0.1:%d", port);
    private_pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        play(script, replies, fd, ends[0]);
    }
    close(fd);
    close(ends[0]);
    script->pid = pid;
    script->alive = ends[1];
    return script;
}

void script_end(struct script *script)
{
    kill(script->pid, SIGKILL); /* a server that was started later has the pipe open, too */
    waitpid(script->pid, NULL, 0);
    close(script->alive);
    munmap(script, sizeof(*script));
}
