/* SPDX-License-Identifier: MIT
 *
 * Calls by libcurl.
 */
#include "config.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "etcd/base64.h"
#include "etcd/client.h"

/*
 * Give up on an endpoint that does not answer in this time.  A call to a dead leader gets no answer.  The other nodes
 * elect a new leader within 2 s, by etcd's own times.  Two such calls end before that, so that the third call, which
 * reaches the new leader, is not later than the election.
 */
#define CALL_MS 900
#define MAX_ANSWER (64 << 20) /* bytes: more is no answer of etcd, which limits a request to 1.5 MiB */
#define MAX_SOCKETS 16        /* a connection for the calls, one for the watch, and those that are being closed */
#define IDLE_MS 3600000       /* wake-up interval of a client with nothing to do */

/* Codes of gRPC, which the gateway passes on. */
enum {
    CODE_NOT_FOUND = 5,
    CODE_DENIED = 7,
    CODE_EXHAUSTED = 8,
    CODE_INVALID = 3,
    CODE_PRECONDITION = 9,
    CODE_OUT_OF_RANGE = 11,
    CODE_UNIMPLEMENTED = 12,
    CODE_UNAUTHENTICATED = 16
};

struct buffer {
    char *bytes;
    size_t size;
};

/* A request that is under way. */
struct transfer {
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    struct buffer answer;
    bool running, done;
    unsigned sent; /* how often libcurl has sent the request */
    CURLcode result;
};

struct client {
    const struct settings *settings;
    CURLM *multi;
    size_t current; /* the endpoint in use */
    char *token;    /* of the authentication, or NULL */
    int64_t term;   /* the greatest raft term of an answer to a call */
    uint64_t cluster;
    struct transfer call, watch;
    bool fired;
    int64_t (*tick)(void *arg);
    void *arg;
    char complaint[600];
    char curl_error[CURL_ERROR_SIZE];
    volatile int sockets[MAX_SOCKETS]; /* -1: free; for flk_client_forked() */
};

/* ---- Sockets -------------------------------------------------------------------------------- */

static void note_socket(struct client *client, int from, int to)
{
    for (int i = 0; i < MAX_SOCKETS; i++)
        if (client->sockets[i] == from) {
            client->sockets[i] = to;
            return;
        }
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void) purpose;
    if (fd >= 0)
        note_socket(arg, -1, fd);
    return fd;
}

/* Forgets the socket before closing it: then another file may get its number, and a forked child would close that. */
static int close_socket(void *arg, curl_socket_t fd)
{
    note_socket(arg, fd, -1);
    return close(fd);
}

void flk_client_forked(struct client *client)
{
    for (int i = 0; i < MAX_SOCKETS; i++)
        if (client->sockets[i] >= 0)
            (void) close(client->sockets[i]);
}

/* ---- Answers -------------------------------------------------------------------------------- */

int64_t flk_json_int64(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_string(value) ? (int64_t) strtoull(json_string_value(value), NULL, 10) : 0;
}

static const char *endpoint(const struct client *client)
{
    return client->settings->endpoints[client->current];
}

/* Notes what is wrong with the endpoint in use.  Leaves out a user and a password that its address may have. */
static void complain(struct client *client, const char *why)
{
    const char *secret = strrchr(endpoint(client), '@');

    (void) snprintf(client->complaint, sizeof(client->complaint), "%s: %s",
                    secret != NULL ? secret + 1 : endpoint(client), why);
}

/*
 * True if the answer comes from the cluster that was seen first, and from no earlier raft term.  A leader that was
 * paused, and does not know its successor yet, answers with an earlier term.  *term: the term in the answer's header.
 */
static bool is_current(struct client *client, const json_t *answer, int64_t *term)
{
    const json_t *header = json_object_get(answer, "header");
    uint64_t cluster = (uint64_t) flk_json_int64(header, "cluster_id");

    *term = flk_json_int64(header, "raft_term");
    if (header == NULL)
        return false;
    if (client->cluster == 0)
        client->cluster = cluster;
    if (cluster != client->cluster || *term < client->term) {
        complain(client, cluster != client->cluster ? "another cluster" : "a leader of the past");
        return false;
    }
    return true;
}

static size_t append(char *bytes, size_t one, size_t size, void *arg)
{
    struct buffer *buffer = arg;
    char *grown = buffer->size + size < MAX_ANSWER ? realloc(buffer->bytes, buffer->size + size + 1) : NULL;

    (void) one;
    if (grown == NULL)
        return 0;
    memcpy(grown + buffer->size, bytes, size);
    buffer->bytes = grown;
    buffer->size += size;
    grown[buffer->size] = '\0';
    return size;
}

/* ---- The watch ------------------------------------------------------------------------------ */

/*
 * Looks at a message of the watch.  False: the watch is no good any more.  The message's term is not noted: a node that
 * is cut off from the others has a later term than they have, because it tries to become their leader.  Such a node
 * opens a watch without them.
 */
static bool see_message(struct client *client, const char *line, size_t length)
{
    json_t *message = json_loadb(line, length, 0, NULL), *result = json_object_get(message, "result");
    int64_t term;
    bool good =
        result != NULL && is_current(client, result, &term) && !json_is_true(json_object_get(result, "canceled"));

    if (!good || json_array_size(json_object_get(result, "events")) > 0)
        client->fired = true;
    json_decref(message);
    return good;
}

/* Takes the lines out of what has come.  Each is a message. */
static size_t see_bytes(char *bytes, size_t one, size_t size, void *arg)
{
    struct client *client = arg;
    struct buffer *buffer = &client->watch.answer;
    char *end;

    if (append(bytes, one, size, buffer) != size)
        return 0;
    while ((end = memchr(buffer->bytes, '\n', buffer->size)) != NULL) {
        size_t length = (size_t) (end - buffer->bytes) + 1;

        if (length > 1 && !see_message(client, buffer->bytes, length))
            return 0;
        buffer->size -= length;
        memmove(buffer->bytes, end + 1, buffer->size);
    }
    return size;
}

/* ---- Transfers ------------------------------------------------------------------------------ */

static void stop(struct client *client, struct transfer *transfer)
{
    if (transfer->running)
        (void) curl_multi_remove_handle(client->multi, transfer->easy);
    transfer->running = false;
    curl_slist_free_all(transfer->headers);
    free(transfer->body);
    free(transfer->answer.bytes);
    transfer->headers = NULL;
    transfer->body = NULL;
    transfer->answer = (struct buffer) { NULL, 0 };
}

static bool add_header(struct transfer *transfer, const char *text)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, text);

    if (longer != NULL)
        transfer->headers = longer;
    return longer != NULL;
}

static bool add_headers(struct client *client, struct transfer *transfer)
{
    char *text;
    bool added;

    if (!add_header(transfer, "Content-Type: application/json") || !add_header(transfer, "Expect:"))
        return false;
    if (client->token == NULL)
        return true;
    text = malloc(sizeof("Authorization: ") + strlen(client->token));
    if (text == NULL)
        return false;
    added = add_header(transfer, strcat(strcpy(text, "Authorization: "), client->token));
    free(text);
    return added;
}

static void set_trust(CURL *easy, const struct settings *settings)
{
    if (settings->ca_file != NULL)
        (void) curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    if (settings->cert_file != NULL)
        (void) curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->cert_file);
    if (settings->key_file != NULL)
        (void) curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->key_file);
}

/* Counts requests: libcurl sends a request again, unasked, if a connection that it uses again ends without an answer. */
static int count_requests(CURL *easy, curl_infotype type, char *text, size_t size, void *arg)
{
    static const char start[] = "POST ";

    (void) easy;
    if (type == CURLINFO_HEADER_OUT && size >= strlen(start) && memcmp(text, start, strlen(start)) == 0)
        ((struct transfer *) arg)->sent++;
    return 0;
}

static void set_common(struct client *client, CURL *easy)
{
    (void) curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    (void) curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) CALL_MS);
    (void) curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void) curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, client);
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    (void) curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client);
    (void) curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->curl_error);
    set_trust(easy, client->settings);
}

/* Starts to send the request to the endpoint in use.  Returns 0 or -ENOMEM. */
static int start(struct client *client, struct transfer *transfer, const char *path, const json_t *request)
{
    char *url = malloc(strlen(endpoint(client)) + strlen(path) + 1);

    stop(client, transfer);
    transfer->body = json_dumps(request, JSON_COMPACT);
    if (url == NULL || transfer->body == NULL || !add_headers(client, transfer)) {
        free(url);
        return -ENOMEM;
    }
    client->curl_error[0] = '\0';
    strcat(strcpy(url, endpoint(client)), path);
    (void) curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    free(url);
    (void) curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, transfer->body);
    (void) curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    transfer->done = false;
    transfer->sent = 0;
    transfer->running = curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK;
    return transfer->running ? 0 : -ENOMEM;
}

/* Lets libcurl work, and notes which transfers have ended. */
static void work(struct client *client)
{
    int running, left;
    CURLMsg *message;

    (void) curl_multi_perform(client->multi, &running);
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct transfer *transfer = message->easy_handle == client->call.easy ? &client->call : &client->watch;

        if (message->msg != CURLMSG_DONE)
            continue;
        transfer->result = message->data.result;
        transfer->done = true;
        (void) curl_multi_remove_handle(client->multi, transfer->easy);
        transfer->running = false;
        if (transfer == &client->watch)
            client->fired = true;
    }
}

/* Lets libcurl work.  Sleeps, unless *ready, until libcurl or the tick has something to do, for at most ms. */
static void sleep_unless(struct client *client, const bool *ready, int64_t ms)
{
    int64_t next = client->tick != NULL ? client->tick(client->arg) : IDLE_MS;

    if (ms > next)
        ms = next;
    work(client);
    if (!*ready)
        (void) curl_multi_poll(client->multi, NULL, 0, (int) (ms < IDLE_MS ? ms : IDLE_MS), NULL);
    work(client);
}

void flk_client_pump(struct client *client, int64_t ms)
{
    sleep_unless(client, &client->fired, ms);
}

void flk_client_wake(struct client *client)
{
    (void) curl_multi_wakeup(client->multi);
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* What came of asking an endpoint. */
enum reply {
    REPLY_GOOD,
    REPLY_REFUSED, /* the cluster did nothing, and another endpoint would say the same */
    REPLY_NOT_SENT,
    REPLY_UNCLEAR,
    REPLY_LOGIN /* the token has expired, or there is none yet */
};

static bool was_sent(CURL *easy, CURLcode result)
{
    curl_off_t sent = 0;

    if (result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST)
        return false;
    return curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent) != CURLE_OK || sent > 0;
}

/* True if TLS refused.  In TLS 1.3, a server refuses the certificate of a client by an alert after the handshake. */
static bool is_distrust(const struct client *client, CURLcode result)
{
    if (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR)
        return strstr(client->curl_error, "alert") != NULL;
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
           result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_ISSUER_ERROR;
}

/*
 * Finds the words and the code of a refusal.  They are "error" and "code", and since etcd 3.6 "message" and "code".  A
 * call that streams has an object "error", with "message" and "grpc_code".
 */
static const char *read_refusal(const json_t *answer, int64_t *code)
{
    const json_t *error = json_object_get(answer, "error"), *where = json_is_object(error) ? error : answer;

    *code = flk_json_int64(where, "grpc_code");
    if (*code == 0)
        *code = flk_json_int64(where, "code");
    return json_string_value(json_is_string(error) ? error : json_object_get(where, "message"));
}

/* Judges a refusal by its code and its words.  *error: what to return for it. */
static enum reply judge_refusal(struct client *client, const json_t *answer, int *error)
{
    int64_t code;
    const char *words = read_refusal(answer, &code);

    if (words == NULL)
        return REPLY_UNCLEAR;
    complain(client, words);
    if (code == CODE_UNAUTHENTICATED || strstr(words, "invalid auth token") != NULL ||
        strstr(words, "auth store is old") != NULL)
        return REPLY_LOGIN;
    if (code == CODE_DENIED || strstr(words, "authentication failed") != NULL ||
        strstr(words, "user name is empty") != NULL || strstr(words, "authentication is not enabled") != NULL)
        *error = -EACCES;
    else if (code == CODE_NOT_FOUND)
        *error = -ENOENT;
    else if (code == CODE_EXHAUSTED)
        *error = -ENOSPC;
    else if (code == CODE_INVALID || code == CODE_PRECONDITION || code == CODE_OUT_OF_RANGE ||
             code == CODE_UNIMPLEMENTED)
        *error = -EIO;
    else
        return REPLY_UNCLEAR;
    return REPLY_REFUSED;
}

/* Reads the answer of an endpoint.  A call that streams has its answer in "result". */
static enum reply judge_answer(struct client *client, json_t **answer, int *error)
{
    const struct buffer *buffer = &client->call.answer;
    json_t *root = json_loadb(buffer->bytes != NULL ? buffer->bytes : "", buffer->size, JSON_DISABLE_EOF_CHECK, NULL);
    json_t *result = json_object_get(root, "result");
    int64_t term;
    enum reply reply;

    if (json_object_get(root, "header") != NULL)
        result = root;
    if (result != NULL && is_current(client, result, &term)) {
        client->term = term;
        *answer = json_incref(result);
        reply = REPLY_GOOD;
    } else if (result != NULL) {
        reply = REPLY_UNCLEAR;
    } else {
        reply = judge_refusal(client, root, error);
    }
    json_decref(root);
    return reply;
}

/* Asks the endpoint in use. */
static enum reply ask(struct client *client, const char *path, const json_t *request, json_t **answer, int *error)
{
    struct transfer *call = &client->call;
    enum reply reply;

    if (start(client, call, path, request) != 0) {
        *error = -ENOMEM;
        return REPLY_REFUSED;
    }
    while (!call->done)
        sleep_unless(client, &call->done, CALL_MS);
    if (call->result == CURLE_OK) {
        reply = judge_answer(client, answer, error);
    } else {
        complain(client, client->curl_error[0] != '\0' ? client->curl_error : curl_easy_strerror(call->result));
        reply = was_sent(call->easy, call->result) ? REPLY_UNCLEAR : REPLY_NOT_SENT;
        if (is_distrust(client, call->result))
            *error = -EACCES;
    }
    stop(client, call);
    call->done = false;
    return reply;
}

/* Gets a token.  Returns as ask() does. */
static enum reply log_in(struct client *client, int *error)
{
    json_t *request = json_pack("{s:s, s:s}", "name", client->settings->user, "password", client->settings->password);
    json_t *answer = NULL;
    enum reply reply;

    free(client->token);
    client->token = NULL;
    reply = ask(client, "/v3/auth/authenticate", request, &answer, error);
    if (reply == REPLY_GOOD && json_is_string(json_object_get(answer, "token")))
        client->token = strdup(json_string_value(json_object_get(answer, "token")));
    if (reply == REPLY_GOOD || reply == REPLY_LOGIN)
        reply = client->token != NULL ? REPLY_GOOD : REPLY_REFUSED;
    if (reply == REPLY_REFUSED && *error == 0)
        *error = -EACCES;
    json_decref(request);
    json_decref(answer);
    return reply;
}

/* Asks the endpoint in use, with a token if the settings have a user. */
static enum reply ask_as_user(struct client *client, const char *path, const json_t *request, json_t **answer,
                              int *error)
{
    enum reply reply = REPLY_LOGIN;

    if (client->settings->user == NULL || client->token != NULL)
        reply = ask(client, path, request, answer, error);
    if (reply != REPLY_LOGIN)
        return reply;
    *error = -EACCES;
    if (client->settings->user == NULL)
        return REPLY_REFUSED;
    *error = 0;
    reply = log_in(client, error);
    return reply != REPLY_GOOD ? (reply == REPLY_REFUSED ? reply : REPLY_NOT_SENT)
                               : ask(client, path, request, answer, error);
}

int flk_client_call(struct client *client, const char *path, json_t *request, json_t **answer, bool *unclear)
{
    int error = 0;
    enum reply reply = REPLY_REFUSED;

    if (request == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < client->settings->count; i++) {
        reply = ask_as_user(client, path, request, answer, &error);
        if (unclear != NULL && (reply == REPLY_UNCLEAR || reply == REPLY_LOGIN || client->call.sent > 1))
            *unclear = true;
        if (reply == REPLY_GOOD || reply == REPLY_REFUSED)
            break;
        client->current = (client->current + 1) % client->settings->count;
        if (client->watch.running) { /* it may hang as the endpoint does */
            flk_client_unwatch(client);
            client->fired = true;
        }
    }
    json_decref(request);
    if (reply == REPLY_GOOD)
        return 0;
    return error != 0 ? error : -EHOSTUNREACH;
}

/* ---- Watching ------------------------------------------------------------------------------- */

int flk_client_watch(struct client *client, const char *key, int64_t revision)
{
    char *encoded = flk_base64_encode(key, strlen(key)), from[24];
    json_t *request;
    int rc;

    flk_client_unwatch(client);
    (void) snprintf(from, sizeof(from), "%lld", (long long) revision);
    request =
        encoded != NULL ? json_pack("{s:{s:s, s:s}}", "create_request", "key", encoded, "start_revision", from) : NULL;
    rc = request != NULL ? start(client, &client->watch, "/v3/watch", request) : -ENOMEM;
    json_decref(request);
    free(encoded);
    return rc;
}

void flk_client_unwatch(struct client *client)
{
    stop(client, &client->watch);
    client->fired = false;
}

bool flk_client_watch_fired(struct client *client)
{
    bool fired = client->fired;

    client->fired = false;
    return fired;
}

bool flk_client_watches(const struct client *client)
{
    return client->watch.running;
}

/* ---- The client ----------------------------------------------------------------------------- */

static void start_curl(void)
{
    (void) curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct client *flk_client_new(const struct settings *settings)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct client *client = calloc(1, sizeof(*client));

    (void) pthread_once(&once, start_curl);
    if (client == NULL)
        return NULL;
    client->settings = settings;
    for (int i = 0; i < MAX_SOCKETS; i++)
        client->sockets[i] = -1;
    client->multi = curl_multi_init();
    client->call.easy = curl_easy_init();
    client->watch.easy = curl_easy_init();
    if (client->multi == NULL || client->call.easy == NULL || client->watch.easy == NULL) {
        flk_client_free(client);
        return NULL;
    }
    set_common(client, client->call.easy);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_TIMEOUT_MS, (long) CALL_MS);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_WRITEFUNCTION, append);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_WRITEDATA, &client->call.answer);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_DEBUGFUNCTION, count_requests);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_DEBUGDATA, &client->call);
    (void) curl_easy_setopt(client->call.easy, CURLOPT_VERBOSE, 1L);
    set_common(client, client->watch.easy);
    (void) curl_easy_setopt(client->watch.easy, CURLOPT_WRITEFUNCTION, see_bytes);
    (void) curl_easy_setopt(client->watch.easy, CURLOPT_WRITEDATA, client);
    return client;
}

void flk_client_free(struct client *client)
{
    stop(client, &client->call);
    stop(client, &client->watch);
    curl_easy_cleanup(client->call.easy);
    curl_easy_cleanup(client->watch.easy);
    (void) curl_multi_cleanup(client->multi);
    free(client->token);
    free(client);
}

void flk_client_set_tick(struct client *client, int64_t (*tick)(void *arg), void *arg)
{
    client->tick = tick;
    client->arg = arg;
}

uint64_t flk_client_cluster(const struct client *client)
{
    return client->cluster;
}

int64_t flk_client_term(const struct client *client)
{
    return client->term;
}

const char *flk_client_complaint(const struct client *client)
{
    return client->complaint;
}
