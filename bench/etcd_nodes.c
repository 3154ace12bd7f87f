/* SPDX-License-Identifier: MIT
 *
 * etcd_nodes.c - starts and ends the nodes of a cluster
 */
#include <config.h>

#include "etcd_nodes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS 10000000
#define STARTS 3000

struct nodes nodes;

static int free_port(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(*fd, (struct sockaddr *) &address, size) != 0 ||
        getsockname(*fd, (struct sockaddr *) &address, &size) != 0)
        die("there is no port for a node of etcd");
    return ntohs(address.sin_port);
}

/* Becomes the node.  A system without etcd ends it at once. */
static void run_node(int number)
{
    const struct node *node = &nodes.node[number];
    char cluster[NODES_MAX * 80], name[4];
    int fd = open("/dev/null", O_WRONLY), length = 0;

    for (int i = 0; i < nodes.count; i++)
        length += snprintf(cluster + length, sizeof cluster - (size_t) length, "%sn%d=%s", i > 0 ? "," : "", i,
                           nodes.node[i].peer);
    snprintf(name, sizeof name, "n%d", number);
    dup2(fd, 1);
    dup2(fd, 2);
    execlp("etcd", "etcd", "--name", name, "--data-dir", node->directory, "--listen-client-urls", node->url,
           "--advertise-client-urls", node->url, "--listen-peer-urls", node->peer, "--initial-advertise-peer-urls",
           node->peer, "--initial-cluster", cluster, (char *) NULL);
    _exit(127);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void) status;
    (void) type;
    (void) where;
    return remove(path);
}

void nodes_kill(int number)
{
    struct node *node = &nodes.node[number];

    if (node->pid > 0) {
        kill(node->pid, SIGKILL);
        waitpid(node->pid, NULL, 0);
    }
    node->pid = 0;
}

void nodes_end(void)
{
    for (int i = 0; i < nodes.count; i++) {
        nodes_kill(i);
        (void) nftw(nodes.node[i].directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static size_t pass_over(char *bytes, size_t one, size_t size, void *arg)
{
    (void) bytes;
    (void) one;
    (void) arg;
    return size;
}

CURL *nodes_connection(const char *url, const char *path, const char *body)
{
    static struct curl_slist *headers;
    CURL *easy = curl_easy_init();
    char whole[128];

    if (headers == NULL)
        headers = curl_slist_append(NULL, "Content-Type: application/json");
    snprintf(whole, sizeof whole, "%s%s", url, path);
    curl_easy_setopt(easy, CURLOPT_URL, whole);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pass_over);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    return easy;
}

/* Returns 1 once the cluster answers, or 0 if the first node has ended. */
static int answers(void)
{
    CURL *easy = nodes_connection(nodes.node[0].url, "/v3/kv/range", "{\"key\":\"YQ==\"}");
    int result = 0;

    for (int i = 0; i < STARTS && !result; i++) {
        if (waitpid(nodes.node[0].pid, NULL, WNOHANG) != 0) {
            nodes.node[0].pid = 0;
            break;
        }
        result = curl_easy_perform(easy) == CURLE_OK;
        sleep_ns(START_NS);
    }
    curl_easy_cleanup(easy);
    return result;
}

int nodes_start(const struct settings *settings, int count)
{
    int ports[2 * NODES_MAX];

    nodes.count = count;
    for (int i = 0; i < count; i++) {
        struct node *node = &nodes.node[i];

        snprintf(node->directory, sizeof node->directory, "%s/etcd%d", settings->directory, i);
        snprintf(node->url, sizeof node->url, "http://127.0.0.1:%d", free_port(&ports[2 * i]));
        snprintf(node->peer, sizeof node->peer, "http://127.0.0.1:%d", free_port(&ports[2 * i + 1]));
    }
    for (int i = 0; i < 2 * count; i++) /* all at once: no port is given twice */
        close(ports[i]);
    for (int i = 0; i < count; i++) {
        nodes.node[i].pid = fork();
        if (nodes.node[i].pid == 0)
            run_node(i);
    }
    return answers();
}

/* The beginning of an answer. */
struct text {
    char bytes[1024];
    size_t size;
};

static size_t keep(char *bytes, size_t one, size_t size, void *arg)
{
    struct text *text = arg;
    size_t room = sizeof text->bytes - 1 - text->size, kept = size < room ? size : room;

    (void) one;
    memcpy(text->bytes + text->size, bytes, kept);
    text->size += kept;
    return size;
}

/* Reads the number behind a member's name into `number`, a string.  Returns 0 if the member is not there. */
static int read_number(const char *text, const char *member, char *number, size_t size)
{
    const char *at = strstr(text, member);
    size_t length;

    if (at == NULL)
        return 0;
    at += strlen(member);
    length = strspn(at, "0123456789");
    snprintf(number, size, "%.*s", (int) length, at);
    return length > 0;
}

static int leads(const struct node *node)
{
    CURL *easy = nodes_connection(node->url, "/v3/maintenance/status", "{}");
    struct text text = { "", 0 };
    char member[32], leader[32];
    int result;

    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    result = curl_easy_perform(easy) == CURLE_OK &&
             read_number(text.bytes, "\"member_id\":\"", member, sizeof member) &&
             read_number(text.bytes, "\"leader\":\"", leader, sizeof leader) && strcmp(member, leader) == 0;
    curl_easy_cleanup(easy);
    return result;
}

int nodes_leader(void)
{
    for (int tries = 0; tries < STARTS; tries++) {
        for (int i = 0; i < nodes.count; i++)
            if (leads(&nodes.node[i]))
                return i;
        sleep_ns(START_NS);
    }
    die("the cluster elects no leader");
}

struct filelock *nodes_lock(const char *name, int first, int64_t lease_ms)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock_etcd_options etcd = FILELOCK_ETCD_OPTIONS_INIT;
    struct filelock *lock;
    char endpoints[NODES_MAX * sizeof nodes.node[0].url] = "";

    for (int i = 0; i < nodes.count; i++)
        snprintf(endpoints + strlen(endpoints), sizeof endpoints - strlen(endpoints), "%s%s", i > 0 ? "," : "",
                 nodes.node[(first + i) % nodes.count].url);
    etcd.endpoints = endpoints;
    options.lease_ms = lease_ms;
    if (filelock_etcd_new(&lock, name, &options, &etcd) != 0)
        die("a handle cannot be made");
    return lock;
}

void nodes_expect(int rc)
{
    if (rc != 0)
        die("etcd: %s", filelock_strerror(rc));
}
