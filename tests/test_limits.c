/* SPDX-License-Identifier: MIT
 *
 * test_limits.c - how deep a lock can be held, and how many locks can be held.
 */
#include "testing.h"

#include <stdio.h>

START_TEST(test_deep_recursion)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    unsigned depth = 0, most = (unsigned) scaled(100000, 1000);
    while (depth < most) {
        ck_assert_int_eq(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
        depth++;
    }
    ck_assert_uint_eq(filelock_depth(lock), most);
    while (depth-- > 1)
        ck_assert_int_eq(filelock_release(lock), 0);
    expect_taken(kind, scratch("lock"));
    EXPECT(filelock_release(lock), 0);
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_many_locks_held)
{
    enum { MOST = 400 };
    const struct kind *kind = kind_at(_i);
    static struct filelock *locks[MOST];
    char path[2048];
    int many = scaled(MOST, 50);
    for (int i = 0; i < many; i++) {
        snprintf(path, sizeof path, "%s%d", scratch("lock"), i);
        locks[i] = new_lock(kind, path, 0);
        EXPECT(filelock_acquire(locks[i], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    }
    for (int i = 0; i < many; i++) {
        int which = (i * 7) % many;
        which = many % 7 ? which : i;
        ck_assert_int_eq(filelock_held(locks[which]), 1);
        filelock_free(locks[which]);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tcase = add_case(suite, "limits");
    ADD_FOR_KINDS(tcase, test_deep_recursion);
    ADD_FOR_KINDS(tcase, test_many_locks_held);
    return suite;
}
