/* SPDX-License-Identifier: MIT
 *
 * test_threads.c - a handle in several threads, and several handles in several threads.
 */
#include "markers.h"
#include "peers.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

START_TEST(test_belongs_to_its_thread)
{
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(caller_call(&caller, CALL_HELD, lock), 0);
    ck_assert_int_eq(caller_call(&caller, CALL_DEPTH, lock), 0);
    EXPECT(caller_call(&caller, CALL_CHECK, lock), -EPERM);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), -EPERM);
    EXPECT(caller_call(&caller, CALL_RELEASE_ALL, lock), -EPERM);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_uint_eq(filelock_depth(lock), 1);
    EXPECT(filelock_release(lock), 0);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_held(lock), 0);
    EXPECT(filelock_release(lock), -EPERM);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_thread_waits)
{
    static const int64_t waits[] = { FILELOCK_FOREVER, 3600000, INT64_MAX };
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_sleep(&caller);
        ck_assert(still_calling(&caller));
        EXPECT(filelock_release(lock), 0);
        EXPECT(end_call(&caller), 0);
        expect_taken(kind, filelock_path(lock));
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        expect_free(kind, filelock_path(lock));
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_thread_times_out)
{
    static const int timeouts[] = { 1, 10, 60 };
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t start = now_ns();
        EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, timeouts[i]), -ETIMEDOUT);
        EXPECT_TOOK(start, timeouts[i]);
        ck_assert_msg(caller.took_ns >= timeouts[i] * (int64_t) 1000000, "early");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* The time that a caller has waited for a thread counts if it then has to wait for a process. */
START_TEST(test_one_timeout_for_both_waits)
{
    const struct kind *kind = kind_at(_i);
    struct caller first, second;
    caller_start(&first);
    caller_start(&second);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int64_t start = now_ns();
    begin_acquire(&first, lock, FILELOCK_EXCLUSIVE, 100); /* waits for the process */
    wait_for_queued(kind, filelock_path(lock), &first);
    begin_acquire(&second, lock, FILELOCK_EXCLUSIVE, 200); /* waits for the thread, then the process */
    EXPECT(end_call(&first), -ETIMEDOUT);
    EXPECT_TOOK(start, 100);
    EXPECT(end_call(&second), -ETIMEDOUT);
    EXPECT_TOOK(start, 200);
    caller_end(&first);
    caller_end(&second);
    filelock_free(lock);
}
END_TEST

enum { WAITERS = 20 };

/*
 * Threads that wait for one file by handles of their own need one helper thread.  They are granted the lock one after the
 * other, and the deadline of each is its own.
 */
START_TEST(test_one_helper)
{
    static struct caller callers[WAITERS];
    struct filelock *locks[WAITERS];
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    for (int i = 0; i < WAITERS; i++) {
        caller_start(&callers[i]);
        locks[i] = new_lock(kind, scratch("lock"), 0);
    }
    int threads = thread_count();
    for (int i = 0; i < WAITERS; i++) {
        begin_acquire(&callers[i], locks[i], FILELOCK_EXCLUSIVE, i == WAITERS / 2 ? 200 : PATIENCE_MS);
        wait_for_sleep(&callers[i]);
        if (i == 0)
            wait_for_queue(kind, scratch("lock"), 1);
    }
    ck_assert_int_le(queued_on(scratch("lock")), 1);
    if (counts_threads())
        ck_assert_int_le(thread_count(), threads + 2); /* another is kept idle */
    EXPECT(end_call(&callers[WAITERS / 2]), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    for (int i = 0; i < WAITERS; i++) {
        if (i != WAITERS / 2) {
            EXPECT(end_call(&callers[i]), 0);
            EXPECT(caller_call(&callers[i], CALL_RELEASE, locks[i]), 0);
        }
        caller_end(&callers[i]);
        filelock_free(locks[i]);
    }
    expect_free(kind, scratch("lock"));
}
END_TEST

/* A thread with a short timeout must not be held up by another thread's long wait on the handle. */
START_TEST(test_short_wait_behind_a_long_one)
{
    const struct kind *kind = kind_at(_i);
    struct caller first, second;
    caller_start(&first);
    caller_start(&second);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    begin_acquire(&first, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_queue(kind, filelock_path(lock), 1);
    EXPECT(caller_acquire(&second, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(caller_acquire(&second, lock, FILELOCK_EXCLUSIVE, 30), -ETIMEDOUT);
    EXPECT_TOOK(start, 30);
    ck_assert(still_calling(&first));
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&first), 0);
    caller_end(&first);
    caller_end(&second);
    filelock_free(lock);
}
END_TEST

START_TEST(test_any_thread)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(caller_call(&caller, CALL_HELD, lock), 1);
    EXPECT(caller_call(&caller, CALL_CHECK, lock), 0);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_release(lock), 0);
    expect_taken(kind, filelock_path(lock));
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    expect_free(kind, filelock_path(lock));
    EXPECT(filelock_release(lock), -EPERM);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    caller_end(&caller); /* the thread's end takes nothing away from the handle */
    expect_taken(kind, filelock_path(lock));
    ck_assert_int_eq(filelock_held(lock), 1);
    EXPECT(filelock_release(lock), 0);
    expect_free(kind, filelock_path(lock));
    filelock_free(lock);
}
END_TEST

START_TEST(test_thread_ends_while_holding)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    for (int i = 0; i < 3; i++) {
        caller_start(&caller);
        for (int depth = 0; depth <= i; depth++)
            EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_taken(kind, filelock_path(lock));
        caller_end(&caller);
        expect_free(kind, filelock_path(lock));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_thread_ends_while_holding_many)
{
    enum { MANY = 5 };
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    struct filelock *locks[MANY];
    const char *paths[MANY];
    caller_start(&caller);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "lock%d", i);
        paths[i] = scratch(name);
        locks[i] = new_lock(kind, paths[i], 0);
        EXPECT(caller_acquire(&caller, locks[i], FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    }
    EXPECT(caller_call(&caller, CALL_RELEASE, locks[2]), 0);
    EXPECT(caller_call(&caller, CALL_FREE, locks[3]), 0);
    caller_end(&caller);
    for (int i = 0; i < MANY; i++) {
        expect_free(kind, paths[i]);
        if (i != 3)
            filelock_free(locks[i]);
    }
}
END_TEST

/* If a thread ends while it holds the lock, a waiter gets it. */
START_TEST(test_thread_ends_with_waiter)
{
    const struct kind *kind = kind_at(_i);
    struct caller first, second;
    caller_start(&first);
    caller_start(&second);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(caller_acquire(&first, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    begin_acquire(&second, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&second);
    caller_end(&first);
    EXPECT(end_call(&second), 0);
    EXPECT(caller_call(&second, CALL_RELEASE, lock), 0);
    caller_end(&second);
    filelock_free(lock);
}
END_TEST

/* A thread may free the handle while another thread holds it. */
START_TEST(test_free_from_another_thread)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_free(kind, scratch("lock"));
    caller_end(&caller); /* nothing of the handle is left that the thread's end could touch */
}
END_TEST

START_TEST(test_two_handles_two_threads)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    caller_start(&caller);
    struct filelock *one = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(caller_acquire(&caller, other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        begin_acquire(&caller, other, FILELOCK_EXCLUSIVE, i ? 3600000 : FILELOCK_FOREVER);
        wait_for_queue(kind, filelock_path(one), 1);
        ck_assert(still_calling(&caller));
        EXPECT(filelock_release(one), 0);
        EXPECT(end_call(&caller), 0);
        EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(caller_call(&caller, CALL_RELEASE, other), 0);
    }
    caller_end(&caller);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

/* Threads that want to hold a lock shared need a handle each: a handle has only one holder. */
START_TEST(test_shared_handle_has_one_holder)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(caller_acquire(&caller, other, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, other), 0);
    caller_end(&caller);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/*
 * Fails the test unless all waiters get the lock, one after the other.  If each was seen to wait before the next came,
 * they must get it in this order.
 */
static void expect_turns(struct caller *callers, int count, struct filelock *lock)
{
    int seen = task_asleep(own_pid(), own_task()) >= 0;
    unsigned served = 0;
    for (int i = 0; i < count; i++) {
        int next = count - 1;
        EVENTUALLY((next = (next + 1) % count, !(served >> next & 1) && !still_calling(&callers[next])));
        ck_assert_msg(next == i || !seen, "%d was served before %d", next, i);
        served |= 1u << next;
        EXPECT(end_call(&callers[next]), 0);
        for (int later = 0; later < count; later++)
            ck_assert_msg((served >> later & 1) || still_calling(&callers[later]), "%d, with %d", later, next);
        EXPECT(caller_call(&callers[next], CALL_RELEASE, lock), 0);
    }
}

/* Threads that wait on a handle are served in turn: none twice before every other once. */
START_TEST(test_turns)
{
    enum { MANY = 6 };
    const struct kind *kind = kind_at(_i);
    struct caller callers[MANY];
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < MANY; i++) {
        caller_start(&callers[i]);
        begin_acquire(&callers[i], lock, FILELOCK_EXCLUSIVE, i % 2 ? FILELOCK_FOREVER : 3600000);
        wait_for_sleep(&callers[i]);
    }
    EXPECT(filelock_release(lock), 0);
    expect_turns(callers, MANY, lock);
    for (int i = 0; i < MANY; i++)
        caller_end(&callers[i]);
    filelock_free(lock);
}
END_TEST

/* A waiter in the middle of the queue gives up.  Those behind it still get their turn. */
START_TEST(test_turn_given_up)
{
    const struct kind *kind = kind_at(_i);
    struct caller patient[2], hasty;
    caller_start(&patient[0]);
    caller_start(&hasty);
    caller_start(&patient[1]);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    begin_acquire(&patient[0], lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&patient[0]);
    begin_acquire(&hasty, lock, FILELOCK_EXCLUSIVE, 30);
    begin_acquire(&patient[1], lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    EXPECT(end_call(&hasty), -ETIMEDOUT);
    wait_for_sleep(&patient[1]);
    EXPECT(filelock_release(lock), 0);
    expect_turns(patient, 2, lock);
    caller_end(&patient[0]);
    caller_end(&hasty);
    caller_end(&patient[1]);
    filelock_free(lock);
}
END_TEST

/* ---- Under load ----------------------------------------------------------------------------- */

struct hammer {
    pthread_t thread;
    struct filelock *lock;
    int *counter; /* not atomic: ThreadSanitizer and lost updates both show a failure */
    int rounds;
    int failed;
};

static void *hammer(void *arg)
{
    struct hammer *mine = arg;
    for (int i = 0; i < mine->rounds; i++) {
        if (filelock_acquire(mine->lock, FILELOCK_EXCLUSIVE, i % 2 ? FILELOCK_FOREVER : PATIENCE_MS) != 0) {
            mine->failed++;
            continue;
        }
        int seen = *mine->counter;
        if (i % 16 == 0)
            yield_processor();
        *mine->counter = seen + 1;
        mine->failed += filelock_release(mine->lock) != 0;
    }
    return NULL;
}

static void hammer_all(struct filelock **locks, int threads)
{
    struct hammer hammers[16];
    int counter = 0, rounds = scaled(300, 30);
    for (int i = 0; i < threads; i++) {
        hammers[i] = (struct hammer) { .lock = locks[i], .counter = &counter, .rounds = rounds };
        ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(hammers[i].thread, NULL);
        ck_assert_int_eq(hammers[i].failed, 0);
    }
    ck_assert_int_eq(counter, threads * rounds);
}

START_TEST(test_hammer_one_handle)
{
    struct filelock *locks[6];
    locks[0] = new_lock(kind_at(_i), scratch("lock"), 0);
    for (int i = 1; i < 6; i++)
        locks[i] = locks[0];
    hammer_all(locks, 6);
    filelock_free(locks[0]);
}
END_TEST

START_TEST(test_many_handles)
{
    enum { MANY = 40 };
    const struct kind *kind = kind_at(_i);
    struct filelock *locks[MANY];
    for (int round = 0; round < scaled(10, 2); round++) {
        for (int i = 0; i < MANY; i++) {
            char name[16];
            snprintf(name, sizeof name, "lock%d", i);
            locks[i] = new_lock(kind, name, 0);
        }
        for (int i = 0; i < MANY; i++)
            filelock_free(locks[(i * 7) % MANY]); /* in another order than that in which they were made */
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = add_case(suite, "one handle");
    ADD_FOR_KINDS(tcase, test_belongs_to_its_thread);
    ADD_FOR_KINDS(tcase, test_thread_waits);
    ADD_FOR_KINDS(tcase, test_thread_times_out);
    ADD_FOR_KINDS(tcase, test_one_timeout_for_both_waits);
    ADD_FOR_KINDS(tcase, test_one_helper);
    ADD_FOR_KINDS(tcase, test_short_wait_behind_a_long_one);
    ADD_FOR_KINDS(tcase, test_any_thread);
    ADD_FOR_KINDS(tcase, test_turns);
    ADD_FOR_KINDS(tcase, test_turn_given_up);
    ADD_FOR_KINDS(tcase, test_hammer_one_handle);
    tcase = add_case(suite, "ends");
    ADD_FOR_KINDS(tcase, test_thread_ends_while_holding);
    ADD_FOR_KINDS(tcase, test_thread_ends_while_holding_many);
    ADD_FOR_KINDS(tcase, test_thread_ends_with_waiter);
    ADD_FOR_KINDS(tcase, test_free_from_another_thread);
    tcase = add_case(suite, "two handles");
    ADD_FOR_KINDS(tcase, test_two_handles_two_threads);
    ADD_FOR_KINDS(tcase, test_shared_handle_has_one_holder);
    ADD_FOR_KINDS(tcase, test_many_handles);
    return suite;
}
