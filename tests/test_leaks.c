/* SPDX-License-Identifier: MIT
 *
 * test_leaks.c - nothing is left behind: descriptors, threads, requests in the kernel.
 *
 * Memory that is left is for the sanitizers and valgrind to see, in all suites.
 */
#include "peers.h"
#include "testing.h"

/*
 * Returns the number of threads.  Starts a thread first, because a sanitizer may add its own thread with the program's
 * first.
 */
static int threads_now(void)
{
    struct caller caller;
    caller_start(&caller);
    caller_end(&caller);
    return thread_count();
}

/* Helper threads may idle for a moment after a wait, and then end. */
static void expect_as_before(int descriptors, int threads)
{
    EVENTUALLY(open_descriptors() == descriptors);
    if (threads > 0)
        EVENTUALLY(thread_count() <= threads);
}

START_TEST(test_after_everything)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    waitable_open(&pair);
    options.cancel = pair.waitable;
    int descriptors = open_descriptors(), threads = threads_now();
    for (int i = 0; i < scaled(60, 6); i++) {
        struct filelock *lock = new_lock_with(&options, scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, i % 2 ? FILELOCK_FOREVER : 1000), 0);
        EXPECT(filelock_release(lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 1), -ETIMEDOUT);
        waitable_set(&pair);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ECANCELED);
        waitable_clear(&pair);
        peer_send(peer, "release a");
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
        PEER_ANSWERS(peer, "0");
        filelock_free(lock);
    }
    if (kind->can & CAN_QUEUE)
        ck_assert_int_le(queued_on(scratch("lock")), 0);
    expect_as_before(descriptors, threads);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_after_errors)
{
    static const char *const paths[] = { "nowhere/lock", "file/lock", "." };
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(write_file(scratch("file"), "", 0), 0);
    int descriptors = open_descriptors(), threads = threads_now();
    for (int i = 0; i < scaled(100, 10); i++)
        for (size_t j = 0; j < sizeof paths / sizeof *paths; j++) {
            struct filelock *lock = new_lock(kind, scratch(paths[j]), 0);
            filelock_acquire(lock, FILELOCK_EXCLUSIVE, 50);
            filelock_acquire(lock, (enum filelock_mode) 9, 50);
            filelock_free(lock);
        }
    expect_as_before(descriptors, threads);
}
END_TEST

/* A handle keeps only one descriptor, however often it is used and its file replaced. */
START_TEST(test_one_descriptor_a_handle)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int descriptors = open_descriptors();
    for (int i = 0; i < 20; i++) {
        EXPECT(filelock_release(lock), 0);
        if (i % 2)
            remove_file(scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, i), 0);
        ck_assert_int_eq(open_descriptors(), descriptors);
    }
    filelock_free(lock);
    ck_assert_int_eq(open_descriptors(), descriptors - 1);
}
END_TEST

/* Many waits at once need many threads, which do not stay. */
START_TEST(test_threads_do_not_stay)
{
    enum { MANY = 12 };
    const struct kind *kind = kind_at(_i);
    struct caller callers[MANY];
    struct filelock *locks[MANY], *holder = new_lock(kind, scratch("lock"), 0);
    int descriptors = open_descriptors(), threads = threads_now();
    EXPECT(filelock_acquire(holder, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < MANY; i++) {
        caller_start(&callers[i]);
        locks[i] = new_lock(kind, scratch("lock"), 0);
        begin_acquire(&callers[i], locks[i], FILELOCK_EXCLUSIVE, i % 2 ? PATIENCE_MS : 200);
    }
    for (int i = 0; i < MANY; i += 2)
        EXPECT(end_call(&callers[i]), -ETIMEDOUT);
    EXPECT(filelock_release(holder), 0);
    for (int served = 0; served < MANY / 2; served++) {
        int next = 1;
        EVENTUALLY((next = (next + 2) % MANY, locks[next] && !still_calling(&callers[next])));
        EXPECT(end_call(&callers[next]), 0);
        EXPECT(caller_call(&callers[next], CALL_FREE, locks[next]), 0);
        locks[next] = NULL;
    }
    for (int i = 0; i < MANY; i++) {
        caller_end(&callers[i]);
        filelock_free(locks[i]);
    }
    filelock_free(holder);
    expect_as_before(descriptors, threads);
}
END_TEST

/* A thread that ended leaves nothing behind, whether it held the lock or was given it. */
START_TEST(test_ended_threads)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    int descriptors = open_descriptors(), threads = threads_now();
    for (int i = 0; i < scaled(50, 5); i++) {
        struct caller caller;
        caller_start(&caller);
        EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, i % 2 ? 1000 : FILELOCK_FOREVER), 0);
        caller_end(&caller);
    }
    expect_free(kind, scratch("lock"));
    expect_as_before(descriptors, threads);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("leaks");
    TCase *tcase = add_case(suite, "leaks");
    ADD_FOR_KINDS(tcase, test_after_everything);
    ADD_FOR_KINDS(tcase, test_after_errors);
    ADD_FOR_KINDS(tcase, test_one_descriptor_a_handle);
    ADD_FOR_KINDS(tcase, test_threads_do_not_stay);
    ADD_FOR_KINDS(tcase, test_ended_threads);
    return suite;
}
