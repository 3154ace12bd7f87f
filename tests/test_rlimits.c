/* SPDX-License-Identifier: MIT
 *
 * test_rlimits.c - what happens when the system gives no more: threads, descriptors, space.
 */
#include "posix.h"

#include <stdio.h>
#include <sys/resource.h>

static void *nothing(void *arg)
{
    return arg;
}

static int no_thread_can_be_had(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 0;
}

/* Makes pthread_create() fail from now on; 0 if it does. */
static int forbid_threads(struct rlimit *before)
{
    if (geteuid() == 0)
        become_nobody();
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, before), 0);
    struct rlimit none = {0, before->rlim_max};
    return setrlimit(RLIMIT_NPROC, &none) != 0 || !no_thread_can_be_had();
}

/* Finite waits then try again and again, at lengthening intervals: never early, and not for long after. */
START_TEST(test_no_threads)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    struct rlimit before;
    struct peer *peer = peer_start();
    open_scratch();
    PEER_SAYS(peer, "0", "new a kind=%d mode=0666 path=%s", kind->kind, path);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    if (forbid_threads(&before) != 0)
        SKIP("threads cannot be forbidden here");
    waitable_open(&pair);
    options.cancel = pair.waitable;
    struct filelock *lock = new_lock_with(&options, path);
    for (int timeout = 1; timeout <= 125; timeout *= 5) {
        int64_t start = now_ns();
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout), -ETIMEDOUT);
        EXPECT_TOOK(start, timeout);
    }
    waitable_set(&pair);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ECANCELED);
    waitable_clear(&pair);
    peer_send(peer, "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    PEER_ANSWERS(peer, "0");
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    filelock_free(lock);
    waitable_close(&pair);
    peer_end(peer);
    setrlimit(RLIMIT_NPROC, &before); /* LeakSanitizer wants a thread at the end */
}
END_TEST

/* More than the stack of a helper thread, which has to hold it. */
static __thread volatile char large[400 * 1024];

/* A program with much thread-local storage waits as others do: in the kernel, where the waiter is listed. */
START_TEST(test_large_thread_storage)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct caller caller;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    large[_i] = 1;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_FREE, lock), 0);
    caller_end(&caller);
    peer_end(peer);
}
END_TEST

START_TEST(test_no_descriptors_for_waiting)
{
    const struct kind *kind = kind_at(_i);
    struct rlimit limit, none;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0); /* now the handle has its descriptor */
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 4;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int64_t start = now_ns();
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 60);
    int64_t took = now_ns() - start;
    peer_send(peer, "release a");
    int later = result == -ETIMEDOUT ? filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS) : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    PEER_ANSWERS(peer, "0");
    ck_assert_msg(result == -ETIMEDOUT || result == -EMFILE, "%s", result_name(result));
    ck_assert_msg(result != -ETIMEDOUT || took >= 60000000, "early");
    EXPECT(later, 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_no_file_space_wanted)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none = limit;
    none.rlim_cur = 0; /* any write to a file would be a SIGXFSZ, also one of Check's */
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int limited = setrlimit(RLIMIT_FSIZE, &none);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(lock);
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(limited, 0);
    EXPECT(result, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("rlimits");
    TCase *tcase = add_case(suite, "rlimits");
    ADD_FOR_KINDS(tcase, test_no_threads);
    ADD_FOR_KINDS(tcase, test_large_thread_storage);
    ADD_FOR_KINDS(tcase, test_no_descriptors_for_waiting);
    ADD_FOR_KINDS(tcase, test_no_file_space_wanted);
    return suite;
}
