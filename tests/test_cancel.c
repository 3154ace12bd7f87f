/* SPDX-License-Identifier: MIT
 *
 * test_cancel.c - waits that options.cancel ends.
 */
#include "peers.h"
#include "testing.h"

static const int64_t waits[] = { FILELOCK_FOREVER, 3600000, INT64_MAX };
#define WAITS (sizeof waits / sizeof *waits)

static struct filelock *cancellable(const struct kind *kind, const struct signal_pair *pair, unsigned flags)
{
    struct filelock_options options = options_of(kind);
    options.cancel = pair->waitable;
    options.flags = flags;
    return new_lock_with(&options, scratch("lock"));
}

static struct peer *holder(const struct kind *kind)
{
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

START_TEST(test_free_lock_is_not_cancelled)
{
    struct signal_pair pair;
    waitable_open(&pair);
    waitable_set(&pair);
    struct filelock *lock = cancellable(kind_at(_i), &pair, 0);
    for (size_t i = 0; i < WAITS; i++)
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, waits[i]), 0);
    ck_assert_uint_eq(filelock_depth(lock), WAITS);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_ready_before)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    waitable_open(&pair);
    holder(kind);
    struct filelock *lock = cancellable(kind, &pair, 0);
    waitable_set(&pair);
    for (size_t i = 0; i < WAITS; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, waits[i]), -ECANCELED);
        ck_assert_int_eq(filelock_held(lock), 0);
        ck_assert_msg(waitable_is_set(&pair), "the waitable was read");
    }
    waitable_clear(&pair);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 30), -ETIMEDOUT);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_try_does_not_look)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    waitable_open(&pair);
    holder(kind);
    struct filelock *lock = cancellable(kind, &pair, 0);
    waitable_set(&pair);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_during_wait)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    struct caller caller;
    waitable_open(&pair);
    caller_start(&caller);
    struct peer *peer = holder(kind);
    struct filelock *lock = cancellable(kind, &pair, 0);
    for (size_t i = 0; i < WAITS; i++) {
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_queue(kind, filelock_path(lock), 1);
        ck_assert(still_calling(&caller));
        waitable_set(&pair);
        EXPECT(end_call(&caller), -ECANCELED);
        if (kind->can & CAN_QUEUE)
            ck_assert_int_le(queued_on(filelock_path(lock)), 0);
        waitable_clear(&pair);
    }
    PEER_SAYS(peer, "0", "release a");
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    caller_end(&caller);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_wait_that_is_not_cancelled)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    struct caller caller;
    waitable_open(&pair);
    caller_start(&caller);
    struct peer *peer = holder(kind);
    struct filelock *lock = cancellable(kind, &pair, 0);
    for (size_t i = 0; i < WAITS; i++) {
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_queue(kind, filelock_path(lock), 1);
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    caller_end(&caller);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

/* A single waitable ends the waits of all handles that have it. */
START_TEST(test_one_for_many)
{
    enum { MANY = 4 };
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    struct caller callers[MANY];
    struct filelock *locks[MANY];
    waitable_open(&pair);
    holder(kind);
    for (int i = 0; i < MANY; i++) {
        caller_start(&callers[i]);
        locks[i] = cancellable(kind, &pair, 0);
        begin_acquire(&callers[i], locks[i], FILELOCK_EXCLUSIVE, waits[(size_t) i % WAITS]);
        wait_for_sleep(&callers[i]);
    }
    wait_for_queue(kind, scratch("lock"), 1);
    waitable_set(&pair);
    for (int i = 0; i < MANY; i++) {
        EXPECT(end_call(&callers[i]), -ECANCELED);
        caller_end(&callers[i]);
        filelock_free(locks[i]);
    }
    waitable_close(&pair);
}
END_TEST

/* A wait for another thread that holds the same handle can be cancelled too. */
START_TEST(test_wait_for_a_thread)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    struct caller caller;
    waitable_open(&pair);
    caller_start(&caller);
    struct filelock *lock = cancellable(kind, &pair, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (size_t i = 0; i < WAITS; i++) {
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_sleep(&caller);
        waitable_set(&pair);
        EXPECT(end_call(&caller), -ECANCELED);
        EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]), -ECANCELED);
        EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        ck_assert(waitable_is_set(&pair));
        waitable_clear(&pair);
    }
    ck_assert_uint_eq(filelock_depth(lock), 1);
    caller_end(&caller);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_recursion_is_not_cancelled)
{
    struct signal_pair pair;
    waitable_open(&pair);
    struct filelock *lock = cancellable(kind_at(_i), &pair, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    waitable_set(&pair);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("cancel");
    TCase *tcase = add_case(suite, "cancel");
    ADD_FOR_KINDS(tcase, test_free_lock_is_not_cancelled);
    ADD_FOR_KINDS(tcase, test_ready_before);
    ADD_FOR_KINDS(tcase, test_try_does_not_look);
    ADD_FOR_KINDS(tcase, test_during_wait);
    ADD_FOR_KINDS(tcase, test_wait_that_is_not_cancelled);
    ADD_FOR_KINDS(tcase, test_one_for_many);
    ADD_FOR_KINDS(tcase, test_wait_for_a_thread);
    ADD_FOR_KINDS(tcase, test_recursion_is_not_cancelled);
    return suite;
}
