/* SPDX-License-Identifier: MIT
 *
 * test_acquire.c - acquire, release and recursion, against other handles and other processes.
 */
#include "peers.h"
#include "testing.h"

#include <limits.h>

START_TEST(test_acquire_release)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(filelock_held(lock), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert_int_eq(filelock_held(lock), 1);
        ck_assert_uint_eq(filelock_depth(lock), 1);
        expect_taken(kind, path);
        EXPECT(filelock_release(lock), 0);
        ck_assert_int_eq(filelock_held(lock), 0);
        expect_free(kind, path);
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_other_process)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    struct filelock *lock = new_lock(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    filelock_free(lock);
}
END_TEST

START_TEST(test_release_not_held)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    EXPECT(filelock_release(lock), -EPERM);
    EXPECT(filelock_release_all(lock), -EPERM);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_release(lock), -EPERM);
    EXPECT(filelock_release_all(lock), -EPERM);
    filelock_free(lock);
}
END_TEST

START_TEST(test_recursion)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    for (unsigned depth = 1; depth <= 5; depth++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, depth % 2 ? FILELOCK_TRY : FILELOCK_FOREVER), 0);
        ck_assert_uint_eq(filelock_depth(lock), depth);
    }
    for (unsigned depth = 5; depth-- > 0;) {
        expect_taken(kind, path);
        EXPECT(filelock_release(lock), 0);
        ck_assert_uint_eq(filelock_depth(lock), depth);
    }
    expect_free(kind, path);
    filelock_free(lock);
}
END_TEST

START_TEST(test_release_all)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    for (int i = 0; i < 4; i++)
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release_all(lock), 0);
    ck_assert_uint_eq(filelock_depth(lock), 0);
    ck_assert_int_eq(filelock_held(lock), 0);
    expect_free(kind, path);
    filelock_free(lock);
}
END_TEST

START_TEST(test_free_releases)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_free(kind, path);
}
END_TEST

START_TEST(test_exit_releases)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    peer_send(peer, "exit 3");
    ck_assert_int_eq(peer_status(peer), 3);
    expect_free_soon(kind, path);
}
END_TEST

START_TEST(test_two_handles)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *one = new_lock(kind, path, 0);
    struct filelock *other = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(filelock_held(other), 0);
    EXPECT(filelock_release(other), -EPERM);
    EXPECT(filelock_release(one), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(one);
    ck_assert_int_eq(filelock_held(other), 1);
    expect_taken(kind, path);
    filelock_free(other);
}
END_TEST

/* A third handle of the file must not release the lock when it is closed.  POSIX record locks would be released. */
START_TEST(test_third_handle_disturbs_nothing)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    struct filelock *one = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    struct filelock *other = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    filelock_free(other);
    if (kind->can & CAN_KEEP_FILE)
        close_fd(open_fd(path));
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    filelock_free(one);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
}
END_TEST

START_TEST(test_bad_arguments)
{
    static const int64_t timeouts[] = { -3, -1000, INT64_MIN };
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    for (int held = 0; held < 2; held++) {
        for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++)
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeouts[i]), -EINVAL);
        EXPECT(filelock_acquire(lock, (enum filelock_mode) 2, FILELOCK_TRY), -EINVAL);
        EXPECT(filelock_acquire(lock, (enum filelock_mode) 7, FILELOCK_TRY), -EINVAL);
        ck_assert_uint_eq(filelock_depth(lock), (unsigned) held);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    }
    filelock_free(lock);
}
END_TEST

/* ---- Shared locks --------------------------------------------------------------------------- */

/* A kind that has only exclusive locks refuses shared ones. */
START_TEST(test_shared_or_not)
{
    const struct kind *kind = kind_at(_i);
    int result = kind->can & CAN_SHARE ? 0 : -EINVAL;
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), result);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_FOREVER), result);
    ck_assert_int_eq(filelock_held(lock), result == 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_shared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    const char *path = scratch("lock");
    struct peer *one = peer_with(kind, path, 0), *other = peer_with(kind, path, 0);
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    PEER_SAYS(one, "0", "acquire a shared 0");
    PEER_SAYS(other, "0", "acquire a shared -1");
    expect_taken(kind, path);
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(one, "0", "release a");
    expect_taken(kind, path);
    PEER_SAYS(other, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(one, "-ETIMEDOUT", "acquire a shared 0");
    filelock_free(lock);
}
END_TEST

START_TEST(test_nested_modes)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    struct filelock *lock = new_lock(kind, path, 0);

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a shared 0"); /* the lock is still exclusive */
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a shared 0");
    EXPECT(filelock_release(lock), 0);

    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EDEADLK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    PEER_SAYS(peer, "0", "acquire a shared 0"); /* the lock is still shared */
    EXPECT(filelock_release_all(lock), 0);
    filelock_free(lock);
}
END_TEST

/* ---- Ranges --------------------------------------------------------------------------------- */

START_TEST(test_ranges)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE);
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    options.range_start = 100;
    options.range_length = 10;
    struct filelock *lock = new_lock_with(&options, path);
    struct peer *peer = peer_start();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    static const struct {
        int start, length;
        const char *result;
    } rows[] = {
        { 99, 1, "0" },           { 110, 1, "0" },          { 0, 100, "0" },           { 100, 1, "-ETIMEDOUT" },
        { 109, 1, "-ETIMEDOUT" }, { 90, 11, "-ETIMEDOUT" }, { 109, 50, "-ETIMEDOUT" }, { 0, 1000, "-ETIMEDOUT" },
        { 110, 0, "0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PEER_SAYS(peer, "0", "new a kind=%d start=%d length=%d path=%s", kind->kind, rows[i].start, rows[i].length,
                  path);
        PEER_SAYS(peer, rows[i].result, "acquire a exclusive 0");
        PEER_SAYS(peer, "0", "free a");
    }
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

/* The default range of OFD is the whole file, however long it gets.  The default range of WIN32 is byte 0. */
START_TEST(test_default_range)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE);
    int far_result = kind->kind == FILELOCK_KIND_WIN32 ? 0 : -ETIMEDOUT;
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock_options options = options_of(kind);
    options.range_start = INT64_MAX - 1;
    options.range_length = 1;
    struct filelock *far = new_lock_with(&options, path);
    EXPECT(filelock_acquire(far, FILELOCK_EXCLUSIVE, FILELOCK_TRY), far_result);
    PEER_SAYS(peer, "0", "free a");
    filelock_free(far);
}
END_TEST

START_TEST(test_default_range_from_a_start)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE);
    int far_result = kind->kind == FILELOCK_KIND_WIN32 ? 0 : -ETIMEDOUT;
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    struct peer *peer = peer_start();
    PEER_SAYS(peer, "0", "new a kind=%d start=1000 path=%s", kind->kind, path);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    static const struct {
        int64_t start, length;
        int far;
    } rows[] = { { 0, 1000, 0 }, { 1000, 1, 2 }, { 1001, 1, 1 }, { INT64_MAX - 1, 1, 1 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int result = rows[i].far == 0 ? 0 : rows[i].far == 1 ? far_result : -ETIMEDOUT;
        options.range_start = rows[i].start;
        options.range_length = rows[i].length;
        struct filelock *lock = new_lock_with(&options, path);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), result);
        filelock_free(lock);
    }
}
END_TEST

/* ---- A wait for itself ---------------------------------------------------------------------- */

START_TEST(test_self_deadlock)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *one = new_lock(kind, path, 0), *other = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), -EDEADLK);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, 50), -ETIMEDOUT);
    EXPECT_TOOK(start, 50);
    ck_assert_int_eq(filelock_held(one), 1);
    EXPECT(filelock_release(one), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

/* The file counts, not its name: another path leads to a deadlock too. */
START_TEST(test_self_deadlock_by_another_path)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    ck_assert_int_eq(make_directory(scratch("sub")), 0);
    struct filelock *one = new_lock(kind, scratch("lock"), 0);
    struct filelock *other = new_lock(kind, scratch("sub/../lock"), 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

START_TEST(test_self_deadlock_shared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    const char *path = scratch("lock");
    struct filelock *one = new_lock(kind, path, 0), *other = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(one, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_acquire(other, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    EXPECT(filelock_release(one), 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_release(other), 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    EXPECT(filelock_acquire(other, FILELOCK_SHARED, FILELOCK_FOREVER), -EDEADLK);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

/* Ranges that do not overlap are no deadlock. */
START_TEST(test_no_self_deadlock_on_ranges)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE);
    struct filelock_options options = options_of(kind);
    const char *path = scratch("lock");
    options.range_length = 1;
    struct filelock *one = new_lock_with(&options, path);
    options.range_start = 1;
    struct filelock *other = new_lock_with(&options, path);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

/* Another process is in the way: this thread holds byte 0, a peer holds byte 1, and this thread waits for byte 1. */
START_TEST(test_wait_beside_own_range)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE);
    struct filelock_options options = options_of(kind);
    const char *path = scratch("lock");
    struct peer *peer = peer_start();
    PEER_SAYS(peer, "0", "new a kind=%d start=1 length=1 path=%s", kind->kind, path);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    options.range_length = 1;
    struct filelock *one = new_lock_with(&options, path);
    options.range_start = 1;
    struct filelock *other = new_lock_with(&options, path);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    peer_send(peer, "release a");
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    PEER_ANSWERS(peer, "0");
    filelock_free(one);
    filelock_free(other);
}
END_TEST

/* If another thread holds the file, a wait for it is no deadlock, because that thread can release. */
START_TEST(test_no_deadlock_across_threads)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct caller caller;
    struct filelock *one = new_lock(kind, path, 0), *other = new_lock(kind, path, 0);
    caller_start(&caller);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    begin_acquire(&caller, other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    ck_assert(still_calling(&caller));
    EXPECT(filelock_release(one), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, other), 0);
    caller_end(&caller);
    filelock_free(one);
    filelock_free(other);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("acquire");
    TCase *tcase = add_case(suite, "exclusive");
    ADD_FOR_KINDS(tcase, test_acquire_release);
    ADD_FOR_KINDS(tcase, test_other_process);
    ADD_FOR_KINDS(tcase, test_release_not_held);
    ADD_FOR_KINDS(tcase, test_recursion);
    ADD_FOR_KINDS(tcase, test_release_all);
    ADD_FOR_KINDS(tcase, test_free_releases);
    ADD_FOR_KINDS(tcase, test_exit_releases);
    ADD_FOR_KINDS(tcase, test_two_handles);
    ADD_FOR_KINDS(tcase, test_third_handle_disturbs_nothing);
    ADD_FOR_KINDS(tcase, test_bad_arguments);
    tcase = add_case(suite, "shared");
    ADD_FOR_KINDS(tcase, test_shared_or_not);
    ADD_FOR_KINDS(tcase, test_shared);
    ADD_FOR_KINDS(tcase, test_nested_modes);
    tcase = add_case(suite, "ranges");
    ADD_FOR_KINDS(tcase, test_ranges);
    ADD_FOR_KINDS(tcase, test_default_range);
    ADD_FOR_KINDS(tcase, test_default_range_from_a_start);
    tcase = add_case(suite, "deadlock");
    ADD_FOR_KINDS(tcase, test_self_deadlock);
    ADD_FOR_KINDS(tcase, test_self_deadlock_by_another_path);
    ADD_FOR_KINDS(tcase, test_self_deadlock_shared);
    ADD_FOR_KINDS(tcase, test_no_self_deadlock_on_ranges);
    ADD_FOR_KINDS(tcase, test_wait_beside_own_range);
    ADD_FOR_KINDS(tcase, test_no_deadlock_across_threads);
    return suite;
}
