/* SPDX-License-Identifier: MIT
 *
 * test_provider.c - a kind that another library adds.  This one keeps its locks in the memory of the process.
 */
#include "testing.h"

#include <filelock-provider.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A provider ----------------------------------------------------------------------------- */

#define LOCKS 4
#define WAITERS 4

/* The locks by name, and the waiters, which are all woken by every release. */
static struct memory {
    pthread_mutex_t mutex;
    struct {
        char name[64];
        int writers, readers;
        uint64_t grants;
    } locks[LOCKS];
    struct signal_pair *waiters[WAITERS];
    int opened, dropped, unreachable;
    int refuses_release;   /* the error of the next release; 0: none */
    int hangs;             /* the number of the lock for which no try returns, less 1; 0: none */
    int hanging;           /* the tries that hang */
    pthread_t spared;      /* the thread whose tries do not hang */
    pthread_cond_t change; /* of these */
} memory = { .mutex = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

struct handle {
    int at; /* in memory.locks */
    enum filelock_mode mode;
    int held, forked;
    uint64_t token;
    int64_t lease_ms;
    int is_lost;
    struct signal_pair lost;
};

/* Has each try fail, or no longer. */
static void set_unreachable(int unreachable)
{
    pthread_mutex_lock(&memory.mutex);
    memory.unreachable = unreachable;
    pthread_mutex_unlock(&memory.mutex);
}

static int memory_open(void **state, const struct filelock_provider_lock *lock)
{
    struct handle *handle;
    int at = 0;

    if (lock->arg != &memory)
        return -EPROTO;
    handle = calloc(1, sizeof(*handle));
    pthread_mutex_lock(&memory.mutex);
    while (memory.locks[at].name[0] != '\0' && strcmp(memory.locks[at].name, lock->name) != 0)
        at++;
    strcpy(memory.locks[at].name, lock->name);
    memory.opened++;
    pthread_mutex_unlock(&memory.mutex);
    handle->at = at;
    handle->lease_ms = lock->lease_ms != 0 ? lock->lease_ms : 15000;
    waitable_open(&handle->lost);
    *state = handle;
    return 0;
}

static void memory_close(void *state)
{
    struct handle *handle = state;

    pthread_mutex_lock(&memory.mutex);
    memory.opened--;
    pthread_mutex_unlock(&memory.mutex);
    waitable_close(&handle->lost);
    free(handle);
}

static int memory_try(void *state, enum filelock_mode mode)
{
    struct handle *handle = state;
    int rc = 0;

    pthread_mutex_lock(&memory.mutex);
    memory.hanging++;
    pthread_cond_broadcast(&memory.change);
    while (memory.hangs == handle->at + 1 && !pthread_equal(memory.spared, pthread_self()))
        pthread_cond_wait(&memory.change, &memory.mutex);
    memory.hanging--;
    if (memory.unreachable)
        rc = -EHOSTUNREACH;
    else if (memory.locks[handle->at].writers > 0 ||
             (mode == FILELOCK_EXCLUSIVE && memory.locks[handle->at].readers > 0))
        rc = -ETIMEDOUT;
    if (rc == 0) {
        memory.locks[handle->at].readers += mode == FILELOCK_SHARED;
        memory.locks[handle->at].writers += mode == FILELOCK_EXCLUSIVE;
        handle->token = ++memory.locks[handle->at].grants;
        handle->mode = mode;
        handle->held = 1;
        handle->is_lost = 0;
    }
    pthread_mutex_unlock(&memory.mutex);
    return rc;
}

/* Puts the waiter in the place of `old`. */
static void replace(struct signal_pair *old, struct signal_pair *waiter)
{
    int i = 0;

    pthread_mutex_lock(&memory.mutex);
    while (memory.waiters[i] != old)
        i++;
    memory.waiters[i] = waiter;
    pthread_mutex_unlock(&memory.mutex);
}

static int memory_acquire(void *state, enum filelock_mode mode, const struct filelock_provider_limits *limits)
{
    struct signal_pair woken;
    int rc, error = 0;

    waitable_open(&woken);
    replace(NULL, &woken);
    for (;;) {
        rc = memory_try(state, mode);
        if (error != 0 && rc != 0) /* unreachable until the deadline is not the same as held until then */
            rc = error == -ETIMEDOUT && rc == -EHOSTUNREACH ? rc : error;
        if (error != 0 || (rc != -ETIMEDOUT && rc != -EHOSTUNREACH))
            break;
        error = filelock_provider_wait(limits, woken.waitable, filelock_provider_left(limits));
        if (waitable_is_set(&woken))
            waitable_clear(&woken);
    }
    replace(&woken, NULL);
    waitable_close(&woken);
    return rc;
}

static int memory_release(void *state)
{
    struct handle *handle = state;
    int rc;

    pthread_mutex_lock(&memory.mutex);
    rc = handle->is_lost ? -ESTALE : memory.refuses_release;
    memory.refuses_release = 0;
    if (rc == 0 || rc == -ESTALE) {
        memory.locks[handle->at].readers -= handle->mode == FILELOCK_SHARED;
        memory.locks[handle->at].writers -= handle->mode == FILELOCK_EXCLUSIVE;
        handle->held = 0;
        if (waitable_is_set(&handle->lost))
            waitable_clear(&handle->lost);
        for (int i = 0; i < WAITERS; i++)
            if (memory.waiters[i] != NULL)
                waitable_set(memory.waiters[i]);
    }
    pthread_mutex_unlock(&memory.mutex);
    return rc;
}

static void memory_drop(void *state)
{
    struct handle *handle = state;

    pthread_mutex_lock(&memory.mutex);
    memory.dropped++;
    pthread_mutex_unlock(&memory.mutex);
    if (handle->held)
        (void) memory_release(state);
}

static void memory_forked(void *state)
{
    struct handle *handle = state;

    handle->held = 0;
    handle->forked = 1;
}

static int memory_check(void *state)
{
    return ((struct handle *) state)->is_lost ? -ESTALE : 0;
}

static int memory_owner(void *state, struct filelock_owner *owner)
{
    struct handle *handle = state;

    if (memory.locks[handle->at].writers + memory.locks[handle->at].readers == 0)
        return -ENOENT;
    owner->pid = own_pid();
    owner->alive = owner->local = 1;
    strcpy(owner->command, "this test");
    return 0;
}

static int64_t memory_remaining(void *state)
{
    struct handle *handle = state;

    return handle->is_lost ? 0 : handle->lease_ms;
}

static filelock_waitable memory_lost(void *state)
{
    return ((struct handle *) state)->lost.waitable;
}

static int memory_token(void *state, uint64_t *token)
{
    *token = ((struct handle *) state)->token;
    return 0;
}

static int memory_explain(void *state, int error, char *text, size_t size)
{
    (void) state;
    if (error != -ESTALE)
        return 0;
    snprintf(text, size, "its memory failed");
    return 1;
}

/* The state that was opened last, so that a test can lose its lock. */
static struct handle *last_opened;

static int memory_open_noted(void **state, const struct filelock_provider_lock *lock)
{
    int rc = memory_open(state, lock);

    if (rc == 0)
        last_opened = *state;
    return rc;
}

static const struct filelock_provider provider = {
    .size = sizeof(provider),
    .version = FILELOCK_PROVIDER_VERSION,
    .name = "memory",
    .abilities = FILELOCK_PROVIDER_SHARES | FILELOCK_PROVIDER_EXPIRES | FILELOCK_PROVIDER_OUTLIVES,
    .open = memory_open_noted,
    .close = memory_close,
    .try_acquire = memory_try,
    .acquire = memory_acquire,
    .release = memory_release,
    .drop = memory_drop,
    .forked = memory_forked,
    .check = memory_check,
    .owner = memory_owner,
    .remaining = memory_remaining,
    .lost = memory_lost,
    .token = memory_token,
    .explain = memory_explain,
};

/* The least that a provider has to have. */
static const struct filelock_provider plain = {
    .size = sizeof(plain),
    .version = FILELOCK_PROVIDER_VERSION,
    .name = "plain",
    .open = memory_open,
    .close = memory_close,
    .try_acquire = memory_try,
    .acquire = memory_acquire,
    .release = memory_release,
    .drop = memory_drop,
    .forked = memory_forked,
    .check = memory_check,
};

static struct filelock *provided(const char *name, const struct filelock_options *options)
{
    struct filelock *lock;

    EXPECT(filelock_new_from_provider(&lock, name, options, &provider, &memory), 0);
    return lock;
}

/* ---- New handles ---------------------------------------------------------------------------- */

START_TEST(test_kind)
{
    struct filelock *lock = provided("a", NULL), *other;

    EXPECT(filelock_new_from_provider(&other, "a", NULL, &plain, &memory), 0);
    ck_assert_int_gt(filelock_kind(lock), FILELOCK_KIND_LEASE);
    ck_assert_int_ne(filelock_kind(lock), filelock_kind(other));
    ck_assert_str_eq(filelock_kind_name(filelock_kind(lock)), "memory");
    ck_assert_str_eq(filelock_kind_name(filelock_kind(other)), "plain");
    ck_assert_ptr_null(filelock_kind_name(filelock_kind(other) + 1));
    EXPECT(filelock_supported(filelock_kind(lock)), 0);
    ck_assert_str_eq(filelock_path(lock), "a");
    filelock_free(other);
    EXPECT(filelock_new_from_provider(&other, "b", NULL, &provider, &memory), 0);
    EXPECT(filelock_kind(other), filelock_kind(lock));
    filelock_free(other);
    filelock_free(lock);
    ck_assert_int_eq(memory.opened, 0);
}
END_TEST

START_TEST(test_refused_options)
{
    static const unsigned refused[] = { FILELOCK_FORK_SHARE,     FILELOCK_KEEP_ON_EXEC,
                                        FILELOCK_UNLINK,         FILELOCK_MAKE_PARENTS,
                                        FILELOCK_FOLLOW_SYMLINK, FILELOCK_RECORD_OWNER,
                                        FILELOCK_NEVER_BREAK,    0x8000u };
    struct filelock *lock = NULL;

    for (size_t i = 0; i <= sizeof(refused) / sizeof(*refused) + 2; i++) {
        struct filelock_options options = FILELOCK_OPTIONS_INIT;
        if (i < sizeof(refused) / sizeof(*refused))
            options.flags = refused[i];
        else if (i == sizeof(refused) / sizeof(*refused))
            options.kind = FILELOCK_KIND_SOFT;
        else if (i == sizeof(refused) / sizeof(*refused) + 1)
            options.file_mode = 0600;
        else
            options.range_length = 1;
        EXPECT(filelock_new_from_provider(&lock, "a", &options, &provider, &memory), -EINVAL);
    }
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.lease_ms = 2000;
    EXPECT(filelock_new_from_provider(&lock, "a", &options, &plain, &memory), -EINVAL);
    EXPECT(filelock_new_from_provider(NULL, "a", NULL, &provider, &memory), -EINVAL);
    EXPECT(filelock_new_from_provider(&lock, NULL, NULL, &provider, &memory), -EINVAL);
    EXPECT(filelock_new_from_provider(&lock, "", NULL, &provider, &memory), -EINVAL);
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, NULL, &memory), -EINVAL);
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &provider, NULL), -EPROTO);
    options = (struct filelock_options) FILELOCK_OPTIONS_INIT;
    lock = provided("a", &options);
    options.kind = filelock_kind(lock);
    struct filelock *other;
    EXPECT(filelock_new(&other, scratch("lock"), &options), -ENOTSUP);
    filelock_free(lock);
    ck_assert_int_eq(memory.opened, 0);
}
END_TEST

START_TEST(test_refused_tables)
{
    struct filelock *lock = NULL;
    struct filelock_provider table = plain;

    table.version++;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -ENOTSUP);
    table = plain;
    table.size--;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -EINVAL);
    table = plain;
    table.abilities = 0x8000u;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -EINVAL);
    table = plain;
    table.abilities = FILELOCK_PROVIDER_CONVERTS_DOWN;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -EINVAL);
    table = plain;
    table.lost = memory_lost;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -EINVAL);
    table = plain;
    table.forked = NULL;
    EXPECT(filelock_new_from_provider(&lock, "a", NULL, &table, &memory), -EINVAL);
    ck_assert_ptr_null(lock);
}
END_TEST

/* ---- Acquire and release -------------------------------------------------------------------- */

START_TEST(test_excludes)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL), *other = provided("b", NULL);

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(same, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_release(a), -EPERM);
    EXPECT(filelock_acquire(same, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(a, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_convert(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOTSUP);
    filelock_free(a);
    filelock_free(same);
    filelock_free(other);
    ck_assert_int_eq(memory.locks[0].readers + memory.locks[0].writers + memory.locks[1].writers, 0);
}
END_TEST

START_TEST(test_several)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL), *other = provided("b", NULL);
    struct filelock *twice[] = { a, same }, *both[] = { a, other };

    EXPECT(filelock_acquire_several(twice, 2, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EDEADLK);
    EXPECT(filelock_acquire_several(both, 2, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release_several(both, 2), 0);
    filelock_free(a);
    filelock_free(same);
    filelock_free(other);
}
END_TEST

START_TEST(test_waits)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL);
    struct caller caller;

    caller_start(&caller);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    begin_acquire(&caller, same, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    EXPECT(filelock_release(a), 0);
    EXPECT(end_call(&caller), 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, 50), -ETIMEDOUT);
    EXPECT_TOOK(start, 50);
    EXPECT(caller_call(&caller, CALL_RELEASE, same), 0);
    caller_end(&caller);
    filelock_free(a);
    filelock_free(same);
}
END_TEST

START_TEST(test_cancelled)
{
    struct signal_pair cancel;
    waitable_open(&cancel);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.cancel = cancel.waitable;
    struct filelock *a = provided("a", NULL), *same = provided("a", &options);

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    waitable_set(&cancel);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, PATIENCE_MS), -ECANCELED);
    filelock_free(a);
    filelock_free(same);
    waitable_close(&cancel);
}
END_TEST

/* A caller that may wait goes on asking a provider that cannot be reached; TRY does not. */
START_TEST(test_unreachable)
{
    struct filelock *a = provided("a", NULL);

    set_unreachable(1);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EHOSTUNREACH);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, 50), -EHOSTUNREACH);
    EXPECT_TOOK(start, 50);
    set_unreachable(0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, 50), 0);
    filelock_free(a);
}
END_TEST

/* ---- Without blocking ----------------------------------------------------------------------- */

/* True if the attempt is over within the time. */
static int over_within(const struct filelock *lock, int64_t timeout_ms)
{
    struct signal_pair pair = { .waitable = filelock_acquire_waitable(lock) };
    int64_t start = now_ns();

    ck_assert(pair.waitable != FILELOCK_NO_WAITABLE);
    while (!waitable_is_set(&pair) && now_ns() - start < timeout_ms * 1000000)
        nap_ms(1);
    return waitable_is_set(&pair);
}

START_TEST(test_begin_unreachable)
{
    struct filelock *a = provided("a", NULL);

    set_unreachable(1);
    EXPECT(filelock_acquire_begin(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EHOSTUNREACH);
    int64_t start = now_ns();
    EXPECT(filelock_acquire_begin(a, FILELOCK_EXCLUSIVE, 50), -EINPROGRESS);
    ck_assert(over_within(a, PATIENCE_MS));
    EXPECT_TOOK(start, 50);
    EXPECT(filelock_acquire_finish(a), -EHOSTUNREACH);
    EXPECT(filelock_acquire_begin(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EINPROGRESS);
    set_unreachable(0);
    ck_assert(over_within(a, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(a), 0);
    filelock_free(a);
}
END_TEST

/* Sets the lock whose tries hang in other threads, by its number, less 1.  0: none does. */
static void set_hangs(int number)
{
    pthread_mutex_lock(&memory.mutex);
    memory.spared = pthread_self();
    memory.hangs = number;
    pthread_cond_broadcast(&memory.change);
    pthread_mutex_unlock(&memory.mutex);
}

/* Begins to acquire lock 0, which is held by the handle until a try hangs. */
static void begin_hanging(struct filelock *lock, struct filelock *holder, int64_t timeout_ms)
{
    EXPECT(filelock_acquire(holder, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    set_hangs(1);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, timeout_ms), -EINPROGRESS);
    pthread_mutex_lock(&memory.mutex);
    while (memory.hanging == 0)
        pthread_cond_wait(&memory.change, &memory.mutex);
    pthread_mutex_unlock(&memory.mutex);
    EXPECT(filelock_release(holder), 0);
}

/* Begin does not wait for the provider's answer, not even for the first. */
START_TEST(test_begin_hangs_at_once)
{
    struct filelock *a = provided("a", NULL);

    set_hangs(1); /* in this thread it would not */
    EXPECT(filelock_acquire_begin(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EINPROGRESS);
    set_hangs(0);
    ck_assert(over_within(a, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(a), 0);
    filelock_free(a);
}
END_TEST

/* on_wait is called only if the lock is not free, and so waits for the first answer. */
static void count_call(struct filelock *lock, void *arg)
{
    (void) lock;
    ++*(int *) arg;
}

START_TEST(test_begin_on_wait)
{
    int calls = 0;
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.on_wait = count_call;
    options.on_wait_arg = &calls;
    struct filelock *a = provided("a", &options), *same = provided("a", &options);

    EXPECT(filelock_acquire_begin(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_eq(calls, 0);
    EXPECT(filelock_acquire_begin(same, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EINPROGRESS);
    ck_assert_int_eq(calls, 1);
    filelock_free(same);
    filelock_free(a);
}
END_TEST

/* A provider that hangs for an attempt keeps no other attempt waiting. */
START_TEST(test_begin_hangs)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL);
    struct filelock *b = provided("b", NULL), *other = provided("b", NULL);

    begin_hanging(same, a, PATIENCE_MS);
    EXPECT(filelock_acquire(b, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire_begin(other, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EINPROGRESS);
    EXPECT(filelock_release(b), 0);
    ck_assert(over_within(other, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(other), 0);
    EXPECT(filelock_acquire_finish(same), -EINPROGRESS);
    set_hangs(0);
    ck_assert(over_within(same, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(same), 0);
    filelock_free(a);
    filelock_free(same);
    filelock_free(b);
    filelock_free(other);
}
END_TEST

/* An attempt whose time is up during a try ends with the try, and has what that has got. */
START_TEST(test_begin_hangs_too_long)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL);

    begin_hanging(same, a, 1000);
    ck_assert(!over_within(same, 1100));
    set_hangs(0);
    ck_assert(over_within(same, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(same), 0);
    ck_assert_int_eq(memory.locks[0].writers, 1);
    filelock_free(a);
    filelock_free(same);
    ck_assert_int_eq(memory.locks[0].writers, 0);
}
END_TEST

/* An attempt that is cancelled during a try has nothing after it. */
START_TEST(test_begin_hangs_cancelled)
{
    struct signal_pair cancel;
    waitable_open(&cancel);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.cancel = cancel.waitable;
    struct filelock *a = provided("a", NULL), *same = provided("a", &options);

    begin_hanging(same, a, PATIENCE_MS);
    waitable_set(&cancel);
    ck_assert(!over_within(same, 60));
    set_hangs(0);
    ck_assert(over_within(same, PATIENCE_MS));
    EXPECT(filelock_acquire_finish(same), -ECANCELED);
    ck_assert_int_eq(memory.locks[0].writers, 0);
    filelock_free(a);
    filelock_free(same);
    waitable_close(&cancel);
}
END_TEST

/* An attempt that is aborted again and again, at any moment of a try, has nothing after it. */
START_TEST(test_begin_aborted)
{
    struct filelock *a = provided("a", NULL), *same = provided("a", NULL);

    for (int i = 0; i < scaled(200, 20); i++) {
        EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_acquire_begin(same, FILELOCK_EXCLUSIVE, PATIENCE_MS), -EINPROGRESS);
        EXPECT(filelock_release(a), 0);
        EXPECT(filelock_acquire_abort(same), 0);
        ck_assert_int_eq(memory.locks[0].writers, 0);
    }
    filelock_free(a);
    filelock_free(same);
}
END_TEST

START_TEST(test_release_refused)
{
    struct filelock *a = provided("a", NULL);
    int dropped = memory.dropped;

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    memory.refuses_release = -EIO;
    EXPECT(filelock_release(a), -EIO);
    EXPECT(filelock_held(a), 1);
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    memory.refuses_release = -EIO;
    filelock_free(a);
    ck_assert_int_eq(memory.dropped - dropped, 1);
    ck_assert_int_eq(memory.locks[0].writers, 0);
}
END_TEST

/* ---- Questions ------------------------------------------------------------------------------ */

START_TEST(test_questions)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.lease_ms = 2000;
    struct filelock *a = provided("a", &options), *same = provided("a", NULL);
    struct filelock_owner owner = { .size = sizeof(owner) };
    uint64_t token, later;
    int64_t ms;
    char text[200];

    EXPECT(filelock_token(a, &token), -EPERM);
    EXPECT(filelock_owner(a, &owner), -ENOENT);
    EXPECT(filelock_break(a), -ENOTSUP);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_token(a, &token), 0);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert_int_eq(ms, 2000);
    EXPECT(filelock_check(a), 0);
    EXPECT(filelock_fd(a), -1);
    EXPECT(filelock_owner(same, &owner), 0);
    ck_assert_int_eq(owner.pid, own_pid());
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    filelock_describe(same, -ETIMEDOUT, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "cannot acquire a at once: held by pid"));
    EXPECT(filelock_release(a), 0);
    EXPECT(filelock_acquire(same, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_token(same, &later), 0);
    ck_assert(later > token);
    filelock_free(a);
    filelock_free(same);
    EXPECT(filelock_new_from_provider(&a, "a", NULL, &plain, &memory), 0);
    EXPECT(filelock_owner(a, &owner), -ENOTSUP);
    EXPECT(filelock_acquire(a, FILELOCK_SHARED, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_token(a, &token), -ENOTSUP);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert(ms == INT64_MAX);
    ck_assert(filelock_lost(a) == FILELOCK_NO_WAITABLE);
    filelock_free(a);
}
END_TEST

START_TEST(test_lost)
{
    struct filelock *a = provided("a", NULL);
    int64_t ms;
    char text[100];

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(filelock_lost(a) == last_opened->lost.waitable);
    last_opened->is_lost = 1;
    waitable_set(&last_opened->lost);
    EXPECT(filelock_held(a), 1);
    EXPECT(filelock_check(a), -ESTALE);
    EXPECT(filelock_remaining(a, &ms), 0);
    ck_assert_int_eq(ms, 0);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ESTALE);
    EXPECT(filelock_release(a), -ESTALE);
    filelock_describe(a, -ESTALE, text, sizeof(text));
    ck_assert_str_eq(text, "cannot release a: its memory failed");
    EXPECT(filelock_held(a), 0);
    ck_assert(filelock_lost(a) == FILELOCK_NO_WAITABLE);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(a);
}
END_TEST

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>

/* A forked child holds nothing, and its provider is told. */
START_TEST(test_fork)
{
    struct filelock *a = provided("a", NULL);
    int status;

    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(filelock_held(a) || last_opened->held || !last_opened->forked);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    EXPECT(filelock_held(a), 1);
    EXPECT(filelock_release(a), 0);
    filelock_free(a);
}
END_TEST
#endif

/* A thread that ends while it holds the lock releases it. */
START_TEST(test_thread_ends)
{
    struct filelock *a = provided("a", NULL);
    struct caller caller;

    caller_start(&caller);
    EXPECT(caller_acquire(&caller, a, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    caller_end(&caller);
    EXPECT(filelock_acquire(a, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(a);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("provider");
    TCase *handles = add_case(suite, "handles");
    tcase_add_test(handles, test_kind);
    tcase_add_test(handles, test_refused_options);
    tcase_add_test(handles, test_refused_tables);
    TCase *acquire = add_case(suite, "acquire");
    tcase_add_test(acquire, test_excludes);
    tcase_add_test(acquire, test_several);
    tcase_add_test(acquire, test_waits);
    tcase_add_test(acquire, test_cancelled);
    tcase_add_test(acquire, test_unreachable);
    tcase_add_test(acquire, test_release_refused);
    TCase *begin = add_case(suite, "begin");
    tcase_add_test(begin, test_begin_unreachable);
    tcase_add_test(begin, test_begin_hangs_at_once);
    tcase_add_test(begin, test_begin_on_wait);
    tcase_add_test(begin, test_begin_hangs);
    tcase_add_test(begin, test_begin_hangs_too_long);
    tcase_add_test(begin, test_begin_hangs_cancelled);
    tcase_add_test(begin, test_begin_aborted);
    TCase *questions = add_case(suite, "questions");
    tcase_add_test(questions, test_questions);
    tcase_add_test(questions, test_lost);
    TCase *ends = add_case(suite, "ends");
    tcase_add_test(ends, test_thread_ends);
#ifndef _WIN32
    tcase_add_test(ends, test_fork);
#endif
    return suite;
}
