/* SPDX-License-Identifier: MIT
 *
 * test_timeout.c - how long an acquire waits: never less than it was told, and hardly more.
 */
#include "peers.h"
#include "testing.h"

/* Returns a handle, and starts a peer that holds the lock. */
static struct filelock *contended(const struct kind *kind, struct peer **peer, int64_t timeout_ms)
{
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    options.timeout_ms = timeout_ms;
    *peer = peer_with(kind, path, 0);
    PEER_SAYS(*peer, "0", "acquire a exclusive 0");
    return new_lock_with(&options, path);
}

START_TEST(test_try)
{
    struct peer *peer;
    struct filelock *lock = contended(kind_at(_i), &peer, FILELOCK_FOREVER);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT_TOOK(start, 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_never_early)
{
    static const int timeouts[] = { 1, 2, 5, 17, 60, 150 };
    struct peer *peer;
    struct filelock *lock = contended(kind_at(_i), &peer, FILELOCK_FOREVER);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t start = now_ns();
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeouts[i]), -ETIMEDOUT);
        EXPECT_TOOK(start, timeouts[i]);
        ck_assert_int_eq(filelock_held(lock), 0);
        EXPECT(filelock_release(lock), -EPERM);
    }
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 1), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_shared_never_early)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct peer *peer;
    struct filelock *lock = contended(kind, &peer, FILELOCK_FOREVER);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, 40), -ETIMEDOUT);
    EXPECT_TOOK(start, 40);
    filelock_free(lock);
}
END_TEST

START_TEST(test_default)
{
    struct peer *peer;
    struct filelock *lock = contended(kind_at(_i), &peer, 70);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), -ETIMEDOUT);
    EXPECT_TOOK(start, 70);
    start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20),
           -ETIMEDOUT); /* the call's own timeout replaces the handle's */
    EXPECT_TOOK(start, 20);
    filelock_free(lock);
}
END_TEST

/* Long waits of every sort get the lock once it is released. */
static const int64_t long_waits[] = { FILELOCK_FOREVER, FILELOCK_TIMEOUT_DEFAULT, 3600000,
                                      INT64_MAX,        INT64_MAX / 1000000,      INT64_MAX - 1 };

START_TEST(test_long_waits)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer;
    struct filelock *lock = contended(kind, &peer, FILELOCK_FOREVER);
    struct caller caller;
    caller_start(&caller);
    for (size_t i = 0; i < sizeof long_waits / sizeof *long_waits; i++) {
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, long_waits[i]);
        wait_for_queue(kind, filelock_path(lock), 1);
        ck_assert_msg(still_calling(&caller), "a wait of %lld ms ended", (long long) long_waits[i]);
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_long_waits_of_peers)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    struct peer *peer = peer_with(kind, path, 0);
    for (size_t i = 0; i < sizeof long_waits / sizeof *long_waits; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        peer_send(peer, "acquire a exclusive %lld", (long long) long_waits[i]);
        wait_for_queue(kind, path, 1);
        ck_assert(peer_silent(peer));
        EXPECT(filelock_release(lock), 0);
        PEER_ANSWERS(peer, "0");
        expect_taken(kind, path);
        PEER_SAYS(peer, "0", "release a");
    }
    filelock_free(lock);
}
END_TEST

/* A wait that timed out leaves no request in the kernel that could be granted afterwards. */
START_TEST(test_no_request_stays)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer;
    struct filelock *lock = contended(kind, &peer, FILELOCK_FOREVER);
    for (int i = 0; i < 10; i++)
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, i), -ETIMEDOUT);
    if (kind->can & CAN_QUEUE)
        ck_assert_int_le(queued_on(filelock_path(lock)), 0);
    PEER_SAYS(peer, "0", "release a");
    expect_free(kind, filelock_path(lock));
    filelock_free(lock);
}
END_TEST

/* A wait may be granted and time out at the same moment.  Whatever the acquire returns must be true. */
START_TEST(test_grant_against_timeout)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer;
    struct filelock *lock = contended(kind, &peer, FILELOCK_FOREVER);
    for (int i = 0; i < scaled(60, 5); i++) {
        peer_send(peer, "release a");
        int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, i % 3);
        ck_assert_msg(result == 0 || result == -ETIMEDOUT, "%s", result_name(result));
        PEER_ANSWERS(peer, "0");
        ck_assert_int_eq(filelock_held(lock), result == 0);
        PEER_SAYS(peer, result == 0 ? "-ETIMEDOUT" : "0", "acquire a exclusive 0");
        if (result == 0) {
            EXPECT(filelock_release(lock), 0);
            PEER_SAYS(peer, "0", "acquire a exclusive 0");
        }
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_waiter_sleeps)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct peer *peer;
    struct filelock *lock = contended(kind, &peer, FILELOCK_FOREVER);
    expect_waiter_sleeps(lock);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("timeout");
    TCase *tcase = add_case(suite, "timeout");
    ADD_FOR_KINDS(tcase, test_try);
    ADD_FOR_KINDS(tcase, test_never_early);
    ADD_FOR_KINDS(tcase, test_shared_never_early);
    ADD_FOR_KINDS(tcase, test_default);
    ADD_FOR_KINDS(tcase, test_long_waits);
    ADD_FOR_KINDS(tcase, test_long_waits_of_peers);
    ADD_FOR_KINDS(tcase, test_no_request_stays);
    ADD_FOR_KINDS(tcase, test_grant_against_timeout);
    ADD_FOR_KINDS(tcase, test_waiter_sleeps);
    return suite;
}
