/* SPDX-License-Identifier: MIT
 *
 * The kinds of providers: each calls the functions of a table that another library has filled.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "outcome.h"
#include "owner/sha256.h"
#include "provider/provider.h"
#include "system/guard.h"
#include "system/thread.h"
#include "wait/limits.h"
#include "wait/lookout.h"

#define NS_PER_MS 1000000
#define KEY_HASH 32 /* bytes of SHA-256 */

/* A kind, and the table that it calls. */
struct provider_kind {
    struct kind kind;
    const struct filelock_provider *provider;
    struct provider_kind *next;
};

/* What a handle keeps. */
struct provider_state {
    const struct filelock_provider *provider;
    void *opened;
    const char *name;
    int id;            /* the kind's */
    bool used;         /* a call may have left something open */
    bool granted;      /* a helper has acquired the lock, and no look has told of it yet */
    enum outcome last; /* CONTENDED or UNREACHED, whichever was found last */
};

static const struct filelock_provider *provider_of(const struct target *target)
{
    return ((const struct provider_kind *) (const void *) target->kind)->provider;
}

/* ---- Acquire and release -------------------------------------------------------------------- */

static int init(const struct target *target, void *state)
{
    struct provider_state *own = state;

    own->provider = provider_of(target);
    own->opened = target->opened;
    own->name = target->path;
    own->id = target->kind->id;
    own->used = own->granted = false;
    own->last = CONTENDED;
    return 0;
}

static void end(const struct target *target)
{
    provider_of(target)->close(target->opened);
}

/* Notes what try_acquire() of the provider came to, and returns that as try() of struct kind does. */
static enum outcome note_try(struct provider_state *own, int rc)
{
    if (rc != -EHOSTUNREACH && rc != -ETIMEDOUT)
        return (enum outcome) rc;
    own->last = rc == -ETIMEDOUT ? CONTENDED : UNREACHED;
    return own->last;
}

static enum outcome try_acquire(const struct target *target, void *state, enum filelock_mode mode, bool waits)
{
    struct provider_state *own = state;

    (void) target;
    (void) waits;
    own->used = true;
    return note_try(own, own->provider->try_acquire(own->opened, mode));
}

static int convert(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits)
{
    const struct provider_state *own = state;

    (void) target;
    return own->provider->convert(own->opened, mode, (const struct filelock_provider_limits *) (const void *) limits);
}

static enum outcome release(const struct target *target, void *state, enum filelock_mode mode)
{
    const struct provider_state *own = state;
    int rc = own->provider->release(own->opened);

    (void) target;
    (void) mode;
    return rc == -ESTALE ? LOST : (enum outcome) rc;
}

static void drop(const struct target *target, void *state)
{
    struct provider_state *own = state;

    (void) target;
    if (own->used)
        own->provider->drop(own->opened);
    own->used = false;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* What a call is to acquire. */
struct trial {
    struct provider_state *own;
    enum filelock_mode mode;
};

/*
 * Tries in a helper thread.  The thread may not be cancelled in code of the provider, and stays so: a helper that is
 * to end finds that it is when it has returned.
 */
static int try_in_helper(void *arg)
{
    const struct trial *given = arg;
    int rc;

    (void) flk_cancel_disable();
    rc = given->own->provider->try_acquire(given->own->opened, given->mode);
    given->own->granted = rc == 0;
    return rc;
}

static int acquire_within(void *arg, const struct limits *limits)
{
    const struct trial *given = arg;
    const struct filelock_provider_limits *theirs = (const struct filelock_provider_limits *) (const void *) limits;

    return given->own->provider->acquire(given->own->opened, given->mode, theirs);
}

/* Asks for a call.  No other call waits for the same. */
static void want_call(struct provider_state *own, enum filelock_mode mode, struct lookout *lookout)
{
    struct trial *given = FLK_ROOM_OF(lookout, struct trial);

    *given = (struct trial) { own, mode };
    lookout->wait = acquire_within;
    memcpy(lookout->key.bytes, &own, sizeof(own));
    lookout->key.size = sizeof(own);
    lookout->call = try_in_helper;
    lookout->lasting = true;
    lookout->state = CALL_WANTED;
}

/* The provider waits by itself.  What a wait has come to that has ended is its last word. */
static enum outcome look_alone(struct provider_state *own, enum filelock_mode mode, struct lookout *lookout)
{
    int result;

    if (flk_lookout_result(lookout, &result))
        return result == -ECANCELED ? CONTENDED : (enum outcome) result;
    want_call(own, mode, lookout);
    return own->last;
}

/*
 * Leaves the try to a helper: what keeps the lock may take seconds to answer, and the attendant has all other attempts
 * to look after.  Without a helper, tries in the attendant.
 */
static enum outcome look(const struct target *target, void *state, enum filelock_mode mode, struct lookout *lookout)
{
    struct provider_state *own = state;
    bool refused = lookout->refused;
    enum outcome rc;
    int result;

    lookout->refused = false;
    own->used = true;
    if (lookout->alone)
        return look_alone(own, mode, lookout);
    if (flk_lookout_result(lookout, &result)) {
        own->granted = false;
        rc = note_try(own, result);
    } else if (refused) {
        rc = try_acquire(target, state, mode, false);
    } else {
        want_call(own, mode, lookout);
        return own->last;
    }
    if (rc == CONTENDED || rc == UNREACHED)
        flk_lookout_nap(lookout);
    return rc;
}

/* Releases what a helper has got for an attempt that has ended. */
static void withdraw(const struct target *target, void *state)
{
    struct provider_state *own = state;
    int rc = own->granted ? own->provider->release(own->opened) : 0;

    own->granted = false;
    if (rc != 0 && rc != -ESTALE)
        drop(target, state);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

static void after_fork(const struct target *target, void *state, bool holds)
{
    struct provider_state *own = state;

    (void) target;
    (void) holds; /* no handle of a provider has FILELOCK_FORK_SHARE */
    if (own->used)
        own->provider->forked(own->opened);
    own->used = own->granted = false;
}

static bool has_open(const void *state)
{
    return ((const struct provider_state *) state)->used;
}

/* ---- Questions ------------------------------------------------------------------------------ */

/* Room for the text of identify(): a name of 4 KiB, and as much for what tells where it is.  Not on the stack. */
#define IDENTITY_SIZE 8192

/* Makes a key of a text and the number of the kind: the texts of two providers may be equal. */
static void make_key(const char *text, int id, struct lock_key *key)
{
    flk_sha256(text, strlen(text), key->bytes);
    memcpy(key->bytes + KEY_HASH, &id, sizeof(id));
    key->size = KEY_HASH + sizeof(id);
}

static int find_key(const struct provider_state *own, struct lock_key *key)
{
    char *text;
    int rc;

    if (own->provider->identify == NULL) {
        make_key(own->name, own->id, key);
        return 0;
    }
    text = malloc(IDENTITY_SIZE);
    if (text == NULL)
        return -ENOMEM;
    rc = own->provider->identify(own->opened, text, IDENTITY_SIZE);
    if (rc == 0)
        make_key(text, own->id, key);
    free(text);
    return rc;
}

static int target_key(const struct target *target, struct lock_key *key)
{
    struct provider_state own;

    (void) init(target, &own);
    return find_key(&own, key);
}

/* A key of no bytes is equal to no other: the lock is not found among those of the thread. */
static void locked_key(const void *state, struct lock_key *key)
{
    if (find_key(state, key) != 0)
        key->size = 0;
}

static int descriptor(const void *state)
{
    (void) state;
    return -1;
}

static int check(const struct target *target, const void *state)
{
    (void) state;
    return provider_of(target)->check(target->opened);
}

static int owner(const struct target *target, struct filelock_owner *found)
{
    const struct filelock_provider *provider = provider_of(target);

    return provider->owner != NULL ? provider->owner(target->opened, found) : -ENOTSUP;
}

static int break_lock(const struct target *target)
{
    return provider_of(target)->break_lock(target->opened);
}

static int64_t remaining(const void *state)
{
    const struct provider_state *own = state;
    int64_t ms = own->provider->remaining(own->opened);

    return ms < FLK_NEVER / NS_PER_MS ? ms * NS_PER_MS : FLK_NEVER;
}

static filelock_waitable lost(const void *state)
{
    const struct provider_state *own = state;

    return own->provider->lost(own->opened);
}

static int token(const void *state, uint64_t *number)
{
    const struct provider_state *own = state;

    return own->provider->token(own->opened, number);
}

static bool explain(const struct target *target, const void *state, int error, char *text, size_t size)
{
    (void) state;
    return provider_of(target)->explain(target->opened, error, text, size) != 0;
}

/* ---- Limits ---------------------------------------------------------------------------------- */

/* Rounds up, so that no wait of a provider ends early. */
int64_t filelock_provider_left(const struct filelock_provider_limits *limits)
{
    int64_t left = flk_limits_left((const struct limits *) (const void *) limits);

    return left == FLK_NEVER ? FILELOCK_FOREVER : left / NS_PER_MS + (left % NS_PER_MS > 0);
}

/* ---- The kinds ------------------------------------------------------------------------------ */

#define FIRST_ID 64 /* the number of the first provider's kind: more than the header will ever name */

static struct provider_kind *all; /* the newest first; under the guard */

#define KNOWN_ABILITIES                                                                  \
    (FILELOCK_PROVIDER_SHARES | FILELOCK_PROVIDER_EXPIRES | FILELOCK_PROVIDER_OUTLIVES | \
     FILELOCK_PROVIDER_CONVERTS_DOWN | FILELOCK_PROVIDER_CONVERTS_UP)

static bool is_complete(const struct filelock_provider *p)
{
    bool converts = (p->abilities & (FILELOCK_PROVIDER_CONVERTS_DOWN | FILELOCK_PROVIDER_CONVERTS_UP)) != 0;

    return p->name != NULL && p->open != NULL && p->close != NULL && p->try_acquire != NULL && p->acquire != NULL &&
           p->release != NULL && p->drop != NULL && p->forked != NULL && p->check != NULL &&
           (p->remaining == NULL) == (p->lost == NULL) && (!converts || p->convert != NULL);
}

static int validate(const struct filelock_provider *provider)
{
    if (provider == NULL || provider->size < sizeof(*provider))
        return -EINVAL;
    if (provider->version != FILELOCK_PROVIDER_VERSION)
        return -ENOTSUP;
    return (provider->abilities & ~KNOWN_ABILITIES) == 0 && is_complete(provider) ? 0 : -EINVAL;
}

static unsigned abilities_of(const struct filelock_provider *provider)
{
    static const struct {
        unsigned theirs, ours;
    } pairs[] = {
        { FILELOCK_PROVIDER_SHARES, CAN_SHARE },           { FILELOCK_PROVIDER_EXPIRES, EXPIRES },
        { FILELOCK_PROVIDER_OUTLIVES, OUTLIVES_PROCESS },  { FILELOCK_PROVIDER_CONVERTS_DOWN, CAN_CONVERT_DOWN },
        { FILELOCK_PROVIDER_CONVERTS_UP, CAN_CONVERT_UP },
    };
    unsigned abilities = ANSWERS_LATE;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
        if ((provider->abilities & pairs[i].theirs) != 0)
            abilities |= pairs[i].ours;
    return abilities;
}

static struct provider_kind *make_kind(const struct filelock_provider *provider)
{
    struct provider_kind *made = malloc(sizeof(*made));

    if (made == NULL)
        return NULL;
    *made = (struct provider_kind) {
        .kind = {
            .name = provider->name,
            .abilities = abilities_of(provider),
            .state_size = FLK_STATE_SIZE(struct provider_state),
            .init = init,
            .end = end,
            .try = try_acquire,
            .look = look,
            .withdraw = withdraw,
            .convert = convert,
            .release = release,
            .close = drop,
            .after_fork = after_fork,
            .has_open = has_open,
            .target_key = target_key,
            .locked_key = locked_key,
            .descriptor = descriptor,
            .check = check,
            .remaining = provider->remaining != NULL ? remaining : NULL,
            .lost = provider->lost != NULL ? lost : NULL,
            .token = provider->token != NULL ? token : NULL,
            .owner = owner,
            .explain = provider->explain != NULL ? explain : NULL,
            .break_marker = provider->break_lock != NULL ? break_lock : NULL,
        },
        .provider = provider,
    };
    return made;
}

/* Caller holds the guard.  Returns the kind of the table, or NULL. */
static struct provider_kind *find(const struct filelock_provider *provider)
{
    struct provider_kind *each = all;

    while (each != NULL && each->provider != provider)
        each = each->next;
    return each;
}

/* Makes a kind before it takes the guard, which may be for nothing: no memory is allocated under the guard. */
int flk_provider_kind(const struct filelock_provider *provider, const struct kind **kind)
{
    int rc = validate(provider);
    struct provider_kind *made = rc == 0 ? make_kind(provider) : NULL, *found;

    if (made == NULL)
        return rc != 0 ? rc : -ENOMEM;
    flk_guard_lock();
    found = find(provider);
    if (found == NULL) {
        made->kind.id = all == NULL ? FIRST_ID : all->kind.id + 1;
        made->next = all;
        found = all = made;
    }
    flk_guard_unlock();
    if (found != made)
        free(made);
    *kind = &found->kind;
    return 0;
}

const char *flk_provider_name(int id)
{
    const struct provider_kind *each;

    flk_guard_lock();
    for (each = all; each != NULL && each->kind.id != id; each = each->next)
        ;
    flk_guard_unlock();
    return each != NULL ? each->kind.name : NULL;
}
