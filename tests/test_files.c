/* SPDX-License-Identifier: MIT
 *
 * test_files.c - the lock file: how it comes into being, and what its path may be.
 */
#include "peers.h"
#include "testing.h"

#include <stdlib.h>
#include <string.h>

static int try_path(const struct kind *kind, const char *path, unsigned flags, enum filelock_mode mode)
{
    struct filelock *lock = new_lock(kind, path, flags);
    int result = filelock_acquire(lock, mode, FILELOCK_TRY);
    ck_assert_int_eq(filelock_held(lock), result == 0);
    filelock_free(lock);
    return result;
}

static int try_exclusive(const struct kind *kind, const char *path, unsigned flags)
{
    return try_path(kind, path, flags, FILELOCK_EXCLUSIVE);
}

/* ---- Creation ------------------------------------------------------------------------------- */

START_TEST(test_created_at_acquire)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    ck_assert(!path_exists(scratch("lock")));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(path_exists(scratch("lock")));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(path_exists(scratch("lock")), kind->can & CAN_KEEP_FILE ? 1 : 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_relative_path)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(make_directory(scratch("one")), 0);
    ck_assert_int_eq(make_directory(scratch("two")), 0);
    struct filelock *lock = new_lock(kind, "lock", 0);
    ck_assert_int_eq(change_directory(scratch("one")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_taken(kind, scratch("one/lock"));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(change_directory(scratch("two")), 0); /* the path is resolved at each acquire */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_taken(kind, scratch("two/lock"));
    expect_free(kind, scratch("one/lock"));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(change_directory(root_directory()), 0);
    filelock_free(lock);
}
END_TEST

/* The file that was locked is removed, and no other, wherever the program has gone in the meantime. */
START_TEST(test_relative_path_removed)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(make_directory(scratch("one")), 0);
    ck_assert_int_eq(make_directory(scratch("two")), 0);
    struct filelock *lock = new_lock(kind, "lock", FILELOCK_UNLINK);
    for (int freed = 0; freed < 2; freed++) {
        ck_assert_int_eq(change_directory(scratch("one")), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert_int_eq(change_directory(scratch("two")), 0);
        ck_assert_int_eq(write_file("lock", "", 0), 0);
        if (freed)
            filelock_free(lock);
        else
            EXPECT(filelock_release(lock), 0);
        ck_assert_msg(!path_exists(scratch("one/lock")), "it was not removed");
        ck_assert_msg(path_exists("lock"), "another file was removed");
        remove_file("lock");
    }
    ck_assert_int_eq(change_directory(root_directory()), 0);
}
END_TEST

START_TEST(test_make_parents)
{
    const struct kind *kind = kind_at(_i);
    EXPECT(try_exclusive(kind, scratch("a/b/c/lock"), 0), -ENOENT);
    ck_assert(!path_exists(scratch("a")));
    for (int i = 0; i < 2; i++) {
        EXPECT(try_exclusive(kind, scratch("a/b/c/lock"), FILELOCK_MAKE_PARENTS), 0);
        ck_assert(path_exists(scratch("a/b/c")));
    }
    EXPECT(try_exclusive(kind, scratch("x//y///lock"), FILELOCK_MAKE_PARENTS), 0);
    EXPECT(try_exclusive(kind, scratch("plain"), FILELOCK_MAKE_PARENTS), 0);
}
END_TEST

START_TEST(test_make_parents_relative)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(change_directory(scratch("")), 0);
    EXPECT(try_exclusive(kind, "p/q/lock", FILELOCK_MAKE_PARENTS), 0);
    EXPECT(try_exclusive(kind, "lock", FILELOCK_MAKE_PARENTS), 0);
    ck_assert_int_eq(change_directory(root_directory()), 0);
    ck_assert(path_exists(scratch("p/q")));
}
END_TEST

/* Parents that vanish after the first acquire are made again. */
START_TEST(test_make_parents_again)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("a/b/lock"), FILELOCK_MAKE_PARENTS);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_taken(kind, scratch("a/b/lock"));
        EXPECT(filelock_release(lock), 0);
        remove_tree(scratch("a"));
    }
    filelock_free(lock);
}
END_TEST

/* ---- What a path may be ---------------------------------------------------------------------- */

START_TEST(test_missing_parent)
{
    EXPECT(try_exclusive(kind_at(_i), scratch("nowhere/lock"), 0), -ENOENT);
    EXPECT(try_exclusive(kind_at(_i), scratch("nowhere/lock/"), 0), -ENOENT);
}
END_TEST

START_TEST(test_odd_names)
{
    static const char *const names[] = { " x", "-n", "%s%n", "a b", "'$(x)`;", "..x", "\xc3\xa4" };
    const struct kind *kind = kind_at(_i);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct filelock *lock = new_lock(kind, scratch(names[i]), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert(path_exists(scratch(names[i])));
        expect_taken(kind, scratch(names[i]));
        filelock_free(lock);
    }
}
END_TEST

/* ---- Suite ---------------------------------------------------------------------------------- */

static void add_creation(Suite *suite)
{
    TCase *tcase = add_case(suite, "creation");
    ADD_FOR_KINDS(tcase, test_created_at_acquire);
    ADD_FOR_KINDS(tcase, test_relative_path);
    ADD_FOR_KINDS(tcase, test_relative_path_removed);
    ADD_FOR_KINDS(tcase, test_make_parents);
    ADD_FOR_KINDS(tcase, test_make_parents_relative);
    ADD_FOR_KINDS(tcase, test_make_parents_again);
}

static void add_paths(Suite *suite)
{
    TCase *tcase = add_case(suite, "paths");
    ADD_FOR_KINDS(tcase, test_missing_parent);
    ADD_FOR_KINDS(tcase, test_odd_names);
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("files");
    add_creation(suite);
    add_paths(suite);
    return suite;
}
