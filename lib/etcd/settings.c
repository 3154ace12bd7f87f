/* SPDX-License-Identifier: MIT
 *
 * Reading the caller's options.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/settings.h"

#define BLANKS " \t"

/* Copies a string, if there is one.  False: out of memory. */
static bool copy(char **to, const char *from)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

/* Makes an address out of an item of the list.  Returns NULL if out of memory. */
static char *make_address(const char *item, size_t length)
{
    static const char scheme[] = "http://";
    bool bare = true;
    char *address;

    for (size_t i = 0; i + 2 < length && bare; i++)
        bare = memcmp(item + i, "://", 3) != 0;
    address = malloc(sizeof(scheme) + length);
    if (address == NULL)
        return NULL;
    strcpy(address, bare ? scheme : "");
    strncat(address, item, length);
    return address;
}

/* Reads a list of addresses with commas between.  Returns 0, -EINVAL or -ENOMEM. */
static int read_endpoints(struct settings *settings, const char *list)
{
    for (;; list++) {
        size_t length;

        list += strspn(list, BLANKS);
        length = strcspn(list, "," BLANKS);
        if (length == 0 || settings->count == MAX_ENDPOINTS)
            return -EINVAL;
        settings->endpoints[settings->count] = make_address(list, length);
        if (settings->endpoints[settings->count] == NULL)
            return -ENOMEM;
        while (length > 0 && list[length - 1] == '/')
            length--, strrchr(settings->endpoints[settings->count], '/')[0] = '\0';
        settings->count++;
        list += strcspn(list, "," BLANKS);
        list += strspn(list, BLANKS);
        if (*list == '\0')
            return 0;
        if (*list != ',')
            return -EINVAL;
    }
}

/* True if no member is set that a newer release may have added. */
static bool knows_all(const struct filelock_etcd_options *o)
{
    const unsigned char *bytes = (const unsigned char *) o;
    size_t i = sizeof(*o);

    while (i < o->size && bytes[i] == 0)
        i++;
    return o->size >= sizeof(*o) && i == o->size;
}

static bool are_valid(const struct filelock_etcd_options *o)
{
    return knows_all(o) && (o->user == NULL) == (o->password == NULL) && (o->cert_file != NULL || o->key_file == NULL);
}

int flk_settings_make(struct settings **settings, const struct filelock_etcd_options *options)
{
    static const struct filelock_etcd_options defaults = FILELOCK_ETCD_OPTIONS_INIT;
    const struct filelock_etcd_options *o = options != NULL ? options : &defaults;
    const char *endpoints = o->endpoints != NULL ? o->endpoints : getenv("ETCDCTL_ENDPOINTS");
    struct settings *made;
    int rc;

    if (!are_valid(o))
        return -EINVAL;
    made = calloc(1, sizeof(*made));
    if (made == NULL)
        return -ENOMEM;
    rc = read_endpoints(made, endpoints != NULL ? endpoints : "http://127.0.0.1:2379");
    if (rc == 0 &&
        !(copy(&made->user, o->user) && copy(&made->password, o->password) && copy(&made->ca_file, o->ca_file) &&
          copy(&made->cert_file, o->cert_file) && copy(&made->key_file, o->key_file)))
        rc = -ENOMEM;
    if (rc != 0)
        flk_settings_free(made);
    else
        *settings = made;
    return rc;
}

void flk_settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->endpoints[i]);
    free(settings->user);
    free(settings->password);
    free(settings->ca_file);
    free(settings->cert_file);
    free(settings->key_file);
    free(settings);
}
