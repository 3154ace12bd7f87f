/* SPDX-License-Identifier: MIT
 *
 * The transactions on a queue.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "etcd/base64.h"
#include "etcd/queue.h"

/* ---- Names ---------------------------------------------------------------------------------- */

char *flk_etcd_queue_prefix(const char *name)
{
    char *prefix = malloc(3 * strlen(name) + 2), *out = prefix;

    if (prefix == NULL)
        return NULL;
    for (; *name != '\0'; name++) {
        if (*name == '/' || *name == '%')
            out += sprintf(out, "%%%02X", (unsigned) (unsigned char) *name);
        else
            *out++ = *name;
    }
    strcpy(out, "/");
    return prefix;
}

static json_t *encoded(const char *text)
{
    char *base64 = flk_base64_encode(text, strlen(text));
    json_t *string = base64 != NULL ? json_string(base64) : NULL;

    free(base64);
    return string;
}

/* The first text after all that begin with the prefix: the '/' at its end becomes a '0'. */
static json_t *encoded_end(const char *prefix)
{
    char *end = strdup(prefix);
    json_t *string;

    if (end == NULL)
        return NULL;
    end[strlen(end) - 1]++;
    string = encoded(end);
    free(end);
    return string;
}

static json_t *number(int64_t value)
{
    char text[24];

    (void) snprintf(text, sizeof(text), "%" PRId64, value);
    return json_string(text);
}

/* ---- What a key says of its holder ---------------------------------------------------------- */

static void read_command(char *text, size_t size)
{
    FILE *file = fopen("/proc/self/comm", "re");

    text[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(text, (int) size, file) == NULL)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    (void) fclose(file);
}

static json_t *value_of(enum filelock_mode mode)
{
    char host[256] = "", command[64], *text;
    json_t *object, *value;

    (void) gethostname(host, sizeof(host) - 1);
    read_command(command, sizeof(command));
    object = json_object();
    (void) json_object_set_new(object, "mode", json_string(mode == FILELOCK_SHARED ? "shared" : "exclusive"));
    (void) json_object_set_new(object, "pid", json_integer(getpid()));
    (void) json_object_set_new(object, "host", json_string(host));
    (void) json_object_set_new(object, "command", json_string(command));
    text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    value = text != NULL ? encoded(text) : NULL;
    free(text);
    json_decref(object);
    return value;
}

/* Returns the value of a key as an object, or NULL: it is not one of this library's. */
static json_t *read_value(const json_t *kv)
{
    const char *base64 = json_string_value(json_object_get(kv, "value"));
    size_t size;
    char *text = base64 != NULL ? flk_base64_decode(base64, &size) : NULL;
    json_t *value = text != NULL ? json_loadb(text, size, 0, NULL) : NULL;

    free(text);
    return value;
}

static bool is_shared(const json_t *kv)
{
    json_t *value = read_value(kv);
    const char *mode = json_string_value(json_object_get(value, "mode"));
    bool shared = mode != NULL && strcmp(mode, "shared") == 0;

    json_decref(value);
    return shared;
}

/* ---- Reading a queue ------------------------------------------------------------------------ */

/* Returns the key of an entry as a new string.  NULL: it is no key of this queue, or memory is out. */
static char *key_of(const json_t *kv, const char *prefix)
{
    const char *base64 = json_string_value(json_object_get(kv, "key"));
    size_t size, length = strlen(prefix);
    char *key = base64 != NULL ? flk_base64_decode(base64, &size) : NULL;

    /* "etcdctl lock a/b" has its keys below those of "a". */
    if (key == NULL || strlen(key) != size || strncmp(key, prefix, length) != 0 || strchr(key + length, '/') != NULL) {
        free(key);
        return NULL;
    }
    return key;
}

void flk_place_clear(struct place *place)
{
    free(place->in_the_way);
    *place = (struct place) { 0, false, NULL, 0 };
}

/* Finds the place in a queue whose entries are sorted by their creation. */
static void find_place(const json_t *kvs, const char *prefix, const char *own, enum filelock_mode mode,
                       struct place *place)
{
    size_t i;
    json_t *kv;

    json_array_foreach(kvs, i, kv)
    {
        char *key = key_of(kv, prefix);

        if (key != NULL && strcmp(key, own) == 0) {
            place->created = flk_json_int64(kv, "create_revision");
            free(key);
            break;
        }
        if (key == NULL || (mode == FILELOCK_SHARED && is_shared(kv))) {
            free(key);
            continue;
        }
        free(place->in_the_way);
        place->in_the_way = key;
    }
    place->free = place->in_the_way == NULL;
}

static json_t *range_of(const char *prefix)
{
    return json_pack("{s:o, s:o, s:s, s:s}", "key", encoded(prefix), "range_end", encoded_end(prefix), "sort_target",
                     "CREATE", "sort_order", "ASCEND");
}

static void take_answer(const json_t *answer, const json_t *range, const char *prefix, const char *key,
                        enum filelock_mode mode, struct place *place)
{
    flk_place_clear(place);
    place->revision = flk_json_int64(json_object_get(answer, "header"), "revision");
    find_place(json_object_get(range, "kvs"), prefix, key, mode, place);
}

int flk_etcd_queue_enter(struct client *client, const char *prefix, const char *key, int64_t lease,
                         enum filelock_mode mode, int64_t limit, struct place *place, bool *unclear)
{
    json_t *put = json_pack("{s:{s:o, s:o, s:o}}", "request_put", "key", encoded(key), "value", value_of(mode), "lease",
                            number(lease));
    json_t *request = json_pack("{s:[], s:[o, {s:o}], s:[{s:o}]}", "compare", "success", put, "request_range",
                                range_of(prefix), "failure", "request_range", range_of(prefix));
    json_t *answer = NULL, *responses;
    int rc;

    if (limit != INT64_MAX)
        (void) json_array_append_new(json_object_get(request, "compare"),
                                     json_pack("{s:o, s:o, s:s, s:s, s:o}", "key", encoded(prefix), "range_end",
                                               encoded_end(prefix), "target", "CREATE", "result", "LESS",
                                               "create_revision", number(limit + 1)));
    rc = flk_client_call(client, "/v3/kv/txn", request, &answer, unclear);
    if (rc != 0)
        return rc;
    responses = json_object_get(answer, "responses");
    take_answer(answer, json_object_get(json_array_get(responses, json_array_size(responses) - 1), "response_range"),
                prefix, key, mode, place);
    json_decref(answer);
    return 0;
}

int flk_etcd_queue_read(struct client *client, const char *prefix, const char *key, enum filelock_mode mode,
                        struct place *place)
{
    json_t *answer = NULL;
    int rc = flk_client_call(client, "/v3/kv/range", range_of(prefix), &answer, NULL);

    if (rc == 0)
        take_answer(answer, answer, prefix, key, mode, place);
    json_decref(answer);
    return rc;
}

int flk_etcd_queue_leave(struct client *client, const char *key, int64_t created, bool *deleted, bool *unclear)
{
    json_t *request = json_pack("{s:[{s:o, s:s, s:s, s:o}], s:[{s:{s:o}}]}", "compare", "key", encoded(key), "target",
                                "CREATE", "result", "EQUAL", "create_revision", number(created), "success",
                                "request_delete_range", "key", encoded(key));
    json_t *answer = NULL;
    int rc = flk_client_call(client, "/v3/kv/txn", request, &answer, unclear);

    if (rc == 0)
        *deleted = json_is_true(json_object_get(answer, "succeeded"));
    json_decref(answer);
    return rc;
}

int flk_etcd_queue_find(struct client *client, const char *key, int64_t *created, int64_t *revision)
{
    json_t *answer = NULL;
    int rc = flk_client_call(client, "/v3/kv/range", json_pack("{s:o}", "key", encoded(key)), &answer, NULL);

    if (rc == 0) {
        *created = flk_json_int64(json_array_get(json_object_get(answer, "kvs"), 0), "create_revision");
        *revision = flk_json_int64(json_object_get(answer, "header"), "revision");
    }
    json_decref(answer);
    return rc;
}

/* ---- Who holds it --------------------------------------------------------------------------- */

static void copy_printable(char *to, size_t size, const json_t *string)
{
    const char *from = json_is_string(string) ? json_string_value(string) : "";
    size_t i;

    for (i = 0; from[i] != '\0' && i + 1 < size; i++)
        to[i] = (char) (from[i] > ' ' && from[i] < 127 ? from[i] : '?');
    to[i] = '\0';
}

static void describe_holder(const json_t *kv, struct filelock_owner *owner)
{
    json_t *value = read_value(kv);
    char host[256] = "";

    owner->pid = flk_json_int64(value, "pid");
    copy_printable(owner->host, sizeof(owner->host), json_object_get(value, "host"));
    copy_printable(owner->command, sizeof(owner->command), json_object_get(value, "command"));
    (void) gethostname(host, sizeof(host) - 1);
    owner->local = owner->host[0] != '\0' && strcmp(host, owner->host) == 0;
    json_decref(value);
}

int flk_etcd_queue_owner(struct client *client, const char *prefix, struct filelock_owner *owner)
{
    json_t *answer = NULL, *kv;
    size_t i;
    int rc = flk_client_call(client, "/v3/kv/range", range_of(prefix), &answer, NULL);

    if (rc != 0)
        return rc;
    rc = -ENOENT;
    json_array_foreach(json_object_get(answer, "kvs"), i, kv)
    {
        char *key = key_of(kv, prefix);

        free(key);
        if (key == NULL)
            continue;
        describe_holder(kv, owner);
        rc = 0;
        break;
    }
    json_decref(answer);
    return rc;
}

/* ---- Leases --------------------------------------------------------------------------------- */

/* Returns a number that no other lease has: the caller chooses it, so that an answer that is lost costs nothing. */
static int64_t random_number(void)
{
    uint64_t bits = 0;
    FILE *file = fopen("/dev/urandom", "re");

    if (file != NULL) {
        if (fread(&bits, sizeof(bits), 1, file) != 1)
            bits = 0;
        (void) fclose(file);
    }
    return (int64_t) (bits >> 1);
}

#define MAX_SECONDS INT64_C(9000000000) /* of the time to live of a lease, as etcd has it */

/* Returns as flk_client_call() does; -EIO also if there is a lease of this number. */
static int grant(struct client *client, int64_t lease, int64_t *seconds)
{
    json_t *answer = NULL;
    int64_t granted;
    int rc = flk_client_call(client, "/v3/lease/grant",
                             json_pack("{s:o, s:o}", "ID", number(lease), "TTL", number(*seconds)), &answer, NULL);

    granted = flk_json_int64(answer, "TTL");
    if (rc == 0 && (granted < 1 || granted > MAX_SECONDS))
        rc = -EIO;
    if (rc == 0)
        *seconds = granted;
    json_decref(answer);
    return rc;
}

/* Tries a second number: an endpoint that did not answer may have granted the first. */
int flk_lease_grant(struct client *client, int64_t *lease, int64_t *seconds)
{
    int rc = -EIO;

    for (int i = 0; i < 2 && rc == -EIO; i++) {
        *lease = random_number();
        rc = *lease != 0 ? grant(client, *lease, seconds) : -EIO;
    }
    return rc;
}

int flk_lease_keep_alive(struct client *client, int64_t lease, int64_t *seconds)
{
    json_t *answer = NULL;
    int rc = flk_client_call(client, "/v3/lease/keepalive", json_pack("{s:o}", "ID", number(lease)), &answer, NULL);

    if (rc == 0)
        *seconds = flk_json_int64(answer, "TTL");
    json_decref(answer);
    return rc;
}

int flk_lease_revoke(struct client *client, int64_t lease)
{
    json_t *answer = NULL;
    int rc = flk_client_call(client, "/v3/lease/revoke", json_pack("{s:o}", "ID", number(lease)), &answer, NULL);

    json_decref(answer);
    return rc == -ENOENT ? 0 : rc;
}
