/* SPDX-License-Identifier: MIT
 *
 * test_scopes.c - filelock_with() and variables that release or free when their scope ends.
 */
#include "peers.h"
#include "testing.h"

struct visit {
    struct filelock *lock;
    int answer;
    int release_first;
    int calls;
    unsigned depth;
};

static int body(void *arg)
{
    struct visit *visit = arg;
    visit->calls++;
    visit->depth = filelock_depth(visit->lock);
    if (visit->release_first)
        EXPECT(filelock_release(visit->lock), 0);
    return visit->answer;
}

START_TEST(test_with)
{
    static const int answers[] = { 0, 42, -1, -ETIMEDOUT };
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct visit visit = { lock, answers[i], 0, 0, 0 };
        ck_assert_int_eq(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, body, &visit), answers[i]);
        ck_assert_int_eq(visit.calls, 1);
        ck_assert_uint_eq(visit.depth, 1);
        ck_assert_int_eq(filelock_held(lock), 0);
        expect_free(kind, scratch("lock"));
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_with_nested)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    struct visit visit = { lock, 7, 0, 0, 0 };
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER, body, &visit), 7);
    ck_assert_uint_eq(visit.depth, 2);
    ck_assert_uint_eq(filelock_depth(lock), 1);
    filelock_free(lock);
}
END_TEST

/* The acquire's error comes first, then the body's value, then the release's error. */
START_TEST(test_with_errors)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct visit visit = { lock, 5, 0, 0, 0 };
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, body, &visit), -ETIMEDOUT);
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, 20, body, &visit), -ETIMEDOUT);
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, -7, body, &visit), -EINVAL);
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, NULL, NULL), -EINVAL);
    EXPECT(filelock_with(NULL, FILELOCK_EXCLUSIVE, FILELOCK_TRY, body, &visit), -EINVAL);
    ck_assert_int_eq(visit.calls, 0);
    PEER_SAYS(peer, "0", "release a");
    visit.release_first = 1;
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, body, &visit), 5);
    visit.answer = 0;
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, body, &visit), -EPERM);
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_with_no_body_leaves_no_lock)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, NULL, NULL), -EINVAL);
    ck_assert_int_eq(filelock_held(lock), 0);
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_auto_functions)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *none = NULL, *lock = new_lock(kind, scratch("lock"), 0);
    filelock_auto_release(&none);
    filelock_auto_free(&none);
    filelock_auto_release(&lock); /* not held */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_auto_release(&lock);
    ck_assert_uint_eq(filelock_depth(lock), 1);
    filelock_auto_free(&lock);
    expect_free(kind, scratch("lock"));
}
END_TEST

#ifdef FILELOCK_AUTO_FREE
static int leave_early(const struct kind *kind, struct filelock *kept, int early)
{
    FILELOCK_AUTO_FREE struct filelock *own = new_lock(kind, scratch("own"), 0);
    FILELOCK_AUTO_RELEASE struct filelock *held = kept;
    FILELOCK_AUTO_FREE struct filelock *none = NULL;
    FILELOCK_AUTO_RELEASE struct filelock *nothing = none;
    (void) nothing;
    EXPECT(filelock_acquire(own, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_taken(kind, scratch("own"));
    if (early)
        return 1;
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return 0;
}

START_TEST(test_auto_scopes)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *kept = new_lock(kind, scratch("kept"), 0);
    ck_assert_int_eq(leave_early(kind, kept, 1), 1);
    ck_assert_int_eq(filelock_held(kept), 0);
    ck_assert_int_eq(leave_early(kind, kept, 0), 0);
    ck_assert_uint_eq(filelock_depth(kept), 1); /* one level is released, not all */
    expect_free(kind, scratch("own"));
    filelock_free(kept);
}
END_TEST
#else
START_TEST(test_auto_scopes)
{
    SKIP("this compiler has no cleanup attribute");
}
END_TEST
#endif

Suite *make_suite(void)
{
    Suite *suite = suite_create("scopes");
    TCase *tcase = add_case(suite, "scopes");
    ADD_FOR_KINDS(tcase, test_with);
    ADD_FOR_KINDS(tcase, test_with_nested);
    ADD_FOR_KINDS(tcase, test_with_errors);
    ADD_FOR_KINDS(tcase, test_with_no_body_leaves_no_lock);
    ADD_FOR_KINDS(tcase, test_auto_functions);
    ADD_FOR_KINDS(tcase, test_auto_scopes);
    return suite;
}
