/* SPDX-License-Identifier: MIT
 *
 * The provider, and filelock_etcd_new().
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <filelock-etcd.h>
#include <filelock-provider.h>

#include "etcd/queue.h"
#include "etcd/session.h"
#include "etcd/settings.h"

#define DEFAULT_SECONDS 15                  /* the time to live of a lease that the caller sets none for */
#define MIN_LEASE_MS 2000                   /* etcd grants no shorter lease with its own defaults */
#define MAX_LEASE_MS INT64_C(9000000000000) /* etcd refuses a lease of more than 9,000,000,000 s */

/* What a handle has. */
struct etcd_lock {
    struct settings *settings;
    char *prefix;
    int64_t seconds;
    struct session *session; /* NULL: none yet, or the process was forked */
};

static void close_lock(void *state)
{
    struct etcd_lock *lock = state;

    if (lock->session != NULL)
        flk_session_end(&lock->session);
    flk_settings_free(lock->settings);
    free(lock->prefix);
    free(lock);
}

static int open_lock(void **state, const struct filelock_provider_lock *what)
{
    struct etcd_lock *lock = calloc(1, sizeof(*lock));
    int rc;

    if (lock == NULL)
        return -ENOMEM;
    rc = flk_settings_make(&lock->settings, what->arg);
    if (rc == 0 && ((what->lease_ms != 0 && what->lease_ms < MIN_LEASE_MS) || what->lease_ms > MAX_LEASE_MS)) {
        flk_settings_free(lock->settings);
        rc = -EINVAL;
    }
    if (rc != 0) {
        free(lock);
        return rc;
    }
    lock->seconds = what->lease_ms != 0 ? (what->lease_ms + 999) / 1000 : DEFAULT_SECONDS;
    lock->prefix = flk_etcd_queue_prefix(what->name);
    if (lock->prefix == NULL) {
        close_lock(lock);
        return -ENOMEM;
    }
    *state = lock;
    return 0;
}

static int ensure_session(struct etcd_lock *lock)
{
    return lock->session != NULL ? 0 : flk_session_start(&lock->session, lock->settings, lock->prefix, lock->seconds);
}

static int try_acquire(void *state, enum filelock_mode mode)
{
    struct etcd_lock *lock = state;
    int rc = ensure_session(lock);

    return rc != 0 ? rc : flk_session_try(lock->session, mode);
}

static int acquire(void *state, enum filelock_mode mode, const struct filelock_provider_limits *limits)
{
    struct etcd_lock *lock = state;
    int rc = ensure_session(lock);

    return rc != 0 ? rc : flk_session_acquire(lock->session, mode, limits);
}

static int release(void *state)
{
    return flk_session_release(((struct etcd_lock *) state)->session);
}

static void drop(void *state)
{
    struct etcd_lock *lock = state;

    if (lock->session != NULL)
        flk_session_end(&lock->session);
}

static void forked(void *state)
{
    struct etcd_lock *lock = state;

    if (lock->session != NULL)
        flk_session_forked(lock->session);
    lock->session = NULL;
}

static int check(void *state)
{
    return flk_session_remaining(((struct etcd_lock *) state)->session) > 0 ? 0 : -ESTALE;
}

/* Two handles may name the same endpoints in different ways, so the number of the cluster tells. */
static int identify(void *state, char *text, size_t size)
{
    const struct etcd_lock *lock = state;
    uint64_t cluster = lock->session != NULL ? flk_session_cluster(lock->session) : 0;
    int length;

    if (cluster == 0)
        return -ENOENT;
    length = snprintf(text, size, "%" PRIx64 " %s", cluster, lock->prefix);
    return length >= 0 && (size_t) length < size ? 0 : -ENAMETOOLONG;
}

/* Asks in a session of its own, because that of the handle may be at work for another thread. */
static int owner(void *state, struct filelock_owner *found)
{
    const struct etcd_lock *lock = state;
    struct session *session;
    int rc = flk_session_start(&session, lock->settings, lock->prefix, lock->seconds);

    if (rc != 0)
        return rc;
    rc = flk_session_owner(session, found);
    flk_session_end(&session);
    return rc;
}

static int64_t remaining(void *state)
{
    return flk_session_remaining(((struct etcd_lock *) state)->session);
}

static filelock_waitable lost(void *state)
{
    return flk_session_lost(((struct etcd_lock *) state)->session);
}

static int token(void *state, uint64_t *number)
{
    return flk_session_token(((struct etcd_lock *) state)->session, number);
}

static int explain(void *state, int error, char *text, size_t size)
{
    const struct etcd_lock *lock = state;

    return lock->session != NULL && flk_session_explain(lock->session, error, text, size);
}

static const struct filelock_provider provider = {
    .size = sizeof(provider),
    .version = FILELOCK_PROVIDER_VERSION,
    .name = "etcd",
    .abilities = FILELOCK_PROVIDER_SHARES | FILELOCK_PROVIDER_EXPIRES | FILELOCK_PROVIDER_OUTLIVES,
    .open = open_lock,
    .close = close_lock,
    .try_acquire = try_acquire,
    .acquire = acquire,
    .release = release,
    .drop = drop,
    .forked = forked,
    .check = check,
    .identify = identify,
    .owner = owner,
    .remaining = remaining,
    .lost = lost,
    .token = token,
    .explain = explain,
};

int filelock_etcd_new(struct filelock **lock, const char *name, const struct filelock_options *options,
                      const struct filelock_etcd_options *etcd)
{
    return filelock_new_from_provider(lock, name, options, &provider, (void *) etcd);
}
