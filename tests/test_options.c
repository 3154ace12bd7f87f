/* SPDX-License-Identifier: MIT
 *
 * test_options.c - making handles: what filelock_new() and its options accept and refuse.
 */
#include "peers.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL_FLAGS 0x1ffu

static int result_for(const struct filelock_options *options, const char *path)
{
    struct filelock *lock = (struct filelock *) (uintptr_t) 1;
    int result = filelock_new(&lock, path, options);
    if (result == 0)
        filelock_free(lock);
    else
        ck_assert_msg((uintptr_t) lock == 1, "the out parameter was written on failure");
    return result;
}

START_TEST(test_null_arguments)
{
    struct filelock *lock = NULL;
    EXPECT(filelock_new(NULL, "path", NULL), -EINVAL);
    EXPECT(filelock_new(&lock, NULL, NULL), -EINVAL);
    EXPECT(filelock_new(&lock, "", NULL), -EINVAL);
    ck_assert_ptr_null(lock);
    filelock_free(NULL);
}
END_TEST

START_TEST(test_null_lock)
{
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    EXPECT(filelock_acquire(NULL, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_release(NULL), -EINVAL);
    EXPECT(filelock_release_all(NULL), -EINVAL);
    EXPECT(filelock_check(NULL), -EINVAL);
    EXPECT(filelock_kind(NULL), -EINVAL);
    EXPECT(filelock_break(NULL), -EINVAL);
    EXPECT(filelock_owner(NULL, &owner), -EINVAL);
    ck_assert_int_eq(filelock_held(NULL), 0);
    ck_assert_uint_eq(filelock_depth(NULL), 0);
    ck_assert_int_eq(filelock_fd(NULL), -1);
    ck_assert_ptr_null(filelock_path(NULL));
}
END_TEST

START_TEST(test_default_options)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    ck_assert_uint_eq(options.size, sizeof options);
    ck_assert_int_eq(options.kind, FILELOCK_KIND_DEFAULT);
    ck_assert_uint_eq(options.flags, 0);
    ck_assert_int_eq(options.timeout_ms, FILELOCK_FOREVER);
    ck_assert_uint_eq(options.file_mode, 0);
    ck_assert(options.cancel == FILELOCK_NO_WAITABLE);
    ck_assert_int_eq(options.range_start, 0);
    ck_assert_int_eq(options.range_length, 0);
    EXPECT(result_for(&options, scratch("lock")), 0);
    EXPECT(result_for(NULL, scratch("lock")), 0);
    ck_assert_msg(!path_exists(scratch("lock")), "a file was made before the first acquire");
}
END_TEST

START_TEST(test_default_kind)
{
    struct filelock *lock;
    EXPECT(filelock_new(&lock, scratch("lock"), NULL), 0);
    int kind = filelock_kind(lock);
    ck_assert_int_ne(kind, FILELOCK_KIND_DEFAULT);
    ck_assert_int_ne(kind, FILELOCK_KIND_SOFT);
    ck_assert_int_eq(filelock_supported(kind), 1);
    ck_assert_int_eq(filelock_supported(FILELOCK_KIND_DEFAULT), 1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* A kind that this build has works.  Another kind that the header has is refused, but has a name. */
START_TEST(test_every_kind)
{
    const struct kind *kind;
    for (int i = 0; (kind = any_kind(i)) != NULL; i++) {
        struct filelock_options options = options_of(kind);
        int supported = filelock_supported(kind->kind);
        ck_assert_str_eq(filelock_kind_name(kind->kind), kind->name);
        EXPECT(result_for(&options, scratch("lock")), supported ? 0 : -ENOTSUP);
        if (!supported)
            say_skipped("every test", "kind %s is not in this build", kind->name);
    }
    ck_assert_str_eq(filelock_kind_name(FILELOCK_KIND_DEFAULT), "default");
}
END_TEST

START_TEST(test_no_kind)
{
    static const int none[] = { -1, 6, 1000, INT32_MAX, INT32_MIN };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct filelock_options options = FILELOCK_OPTIONS_INIT;
        options.kind = none[i];
        EXPECT(result_for(&options, scratch("lock")), -EINVAL);
        ck_assert_int_eq(filelock_supported(none[i]), 0);
        ck_assert_ptr_null(filelock_kind_name(none[i]));
    }
}
END_TEST

START_TEST(test_kind_of_handle)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    ck_assert_int_eq(filelock_kind(lock), kind->kind);
    filelock_free(lock);
}
END_TEST

START_TEST(test_flags)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    unsigned flags = (ALL_FLAGS & ~FILELOCK_FORK_SHARE) | FORK_SHARE_OF(kind);
    for (unsigned bit = 1; bit; bit <<= 1) {
        options.flags = bit;
        EXPECT(result_for(&options, scratch("lock")), bit & flags ? 0 : -EINVAL);
        options.flags = bit | FILELOCK_ANY_THREAD;
        EXPECT(result_for(&options, "lock"), bit & flags ? 0 : -EINVAL);
    }
    options.flags = flags;
    EXPECT(result_for(&options, "lock"), 0);
}
END_TEST

START_TEST(test_timeouts)
{
    static const struct {
        int64_t timeout_ms;
        int result;
    } rows[] = {
        { 0, 0 },
        { 1, 0 },
        { INT64_MAX, 0 },
        { FILELOCK_FOREVER, 0 },
        { FILELOCK_TIMEOUT_DEFAULT, -EINVAL }, /* cannot stand for itself */
        { -3, -EINVAL },
        { INT64_MIN, -EINVAL },
    };
    struct filelock_options options = options_of(kind_at(_i));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        options.timeout_ms = rows[i].timeout_ms;
        EXPECT(result_for(&options, "lock"), rows[i].result);
    }
}
END_TEST

START_TEST(test_file_modes)
{
    static const struct {
        unsigned mode;
        int result;
    } rows[] = { { 0, 0 }, { 0600, 0 }, { 07777, 0 }, { 010000, -EINVAL }, { 0100644, -EINVAL }, { ~0u, -EINVAL } };
    struct filelock_options options = options_of(kind_at(_i));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        options.file_mode = rows[i].mode;
        EXPECT(result_for(&options, "lock"), rows[i].result);
    }
}
END_TEST

START_TEST(test_ranges)
{
    static const struct {
        int64_t start, length;
        int result;
    } rows[] = {
        { 0, 0, 0 },
        { 5, 0, 0 },
        { 0, 7, 0 },
        { INT64_MAX - 1, 1, 0 },
        { INT64_MAX, 0, 0 },
        { INT64_MAX, 1, 0 }, /* the last byte there is */
        { 1, INT64_MAX, 0 },
        { INT64_C(1) << 62, INT64_C(1) << 62, 0 },
        { INT64_MAX, 2, -EINVAL },
        { (INT64_C(1) << 62) + 1, INT64_C(1) << 62, -EINVAL },
        { -1, 0, -EINVAL },
        { 0, -1, -EINVAL },
        { INT64_MIN, 1, -EINVAL },
        { INT64_MAX, INT64_MAX, -EINVAL }, /* would end beyond the last offset */
        { 2, INT64_MAX, -EINVAL },
    };
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int ranged = rows[i].start != 0 || rows[i].length != 0;
        int result = ranged && !(kind->can & CAN_RANGE) ? -EINVAL : rows[i].result;
        options.range_start = rows[i].start;
        options.range_length = rows[i].length;
        EXPECT(result_for(&options, "lock"), result);
    }
}
END_TEST

START_TEST(test_cancel_values)
{
    struct filelock_options options = options_of(kind_at(_i));
    struct signal_pair pair;
    waitable_open(&pair);
    options.cancel = pair.waitable;
    EXPECT(result_for(&options, "lock"), 0);
    ck_assert_msg(!waitable_is_set(&pair), "the cancel waitable was touched");
    waitable_close(&pair);
}
END_TEST

/* A program that was built with a later or earlier header passes another size. */
START_TEST(test_sizes)
{
    struct {
        struct filelock_options options;
        char tail[64];
    } later = { options_of(kind_at(_i)), { 0 } };
    size_t size = sizeof later.options;

    later.options.size = sizeof later;
    EXPECT(result_for(&later.options, "lock"), 0);
    later.tail[63] = 1; /* an option that this library does not know is set */
    EXPECT(result_for(&later.options, "lock"), -EINVAL);
    later.tail[63] = 0;
    later.tail[0] = 1;
    EXPECT(result_for(&later.options, "lock"), -EINVAL);
    later.options.size = size;
    EXPECT(result_for(&later.options, "lock"), 0);
    later.options.size = 0;
    EXPECT(result_for(&later.options, "lock"), -EINVAL);
    later.options.size = sizeof(size_t);
    EXPECT(result_for(&later.options, "lock"), -EINVAL);
    later.options.size = size - 1;
    EXPECT(result_for(&later.options, "lock"), -EINVAL);
}
END_TEST

/* The struct of release 0.1.0. */
struct first_options {
    size_t size;
    int kind;
    unsigned flags;
    int64_t timeout_ms;
    unsigned file_mode;
    filelock_waitable cancel;
    int64_t range_start;
    int64_t range_length;
};

START_TEST(test_first_size)
{
    const struct kind *kind = kind_at(_i);
    struct first_options *first = malloc(sizeof *first); /* valgrind sees a read beyond it */
    ck_assert_ptr_nonnull(first);
    struct filelock_options now = options_of(kind);
    memcpy(first, &now, sizeof *first);
    first->size = sizeof *first;
    first->timeout_ms = 20;
    struct filelock *lock = new_lock_with((struct filelock_options *) (void *) first, scratch("lock"));
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), -ETIMEDOUT);
    first->flags = 0x80000000u;
    EXPECT(result_for((struct filelock_options *) (void *) first, "lock"), -EINVAL);
    filelock_free(lock);
    free(first);
}
END_TEST

START_TEST(test_lease_ms)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    options.lease_ms = 1000;
    EXPECT(result_for(&options, "lock"), kind->can & CAN_LAST ? -EINVAL : 0);
    options.lease_ms = -1;
    EXPECT(result_for(&options, "lock"), -EINVAL);
}
END_TEST

START_TEST(test_options_are_not_kept)
{
    struct filelock_options *options = malloc(sizeof *options);
    ck_assert_ptr_nonnull(options);
    *options = options_of(kind_at(_i));
    options->timeout_ms = 1;
    struct filelock *lock = new_lock_with(options, scratch("lock"));
    memset(options, 0xff, sizeof *options);
    free(options);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_path_is_copied)
{
    char *path = strdup(scratch("lock"));
    ck_assert_ptr_nonnull(path);
    struct filelock *lock = new_lock(kind_at(_i), path, 0);
    ck_assert_str_eq(filelock_path(lock), path);
    ck_assert_ptr_ne(filelock_path(lock), path);
    memset(path, 'X', strlen(path));
    free(path);
    ck_assert_str_eq(filelock_path(lock), scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_msg(path_exists(scratch("lock")), "the lock file is elsewhere");
    filelock_free(lock);
}
END_TEST

START_TEST(test_version)
{
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", FILELOCK_VERSION_MAJOR, FILELOCK_VERSION_MINOR, FILELOCK_VERSION_PATCH);
    ck_assert_str_eq(filelock_version(), text);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = add_case(suite, "arguments");
    tcase_add_test(tcase, test_null_arguments);
    tcase_add_test(tcase, test_null_lock);
    tcase_add_test(tcase, test_version);
    tcase = add_case(suite, "kinds");
    tcase_add_test(tcase, test_default_kind);
    tcase_add_test(tcase, test_every_kind);
    tcase_add_test(tcase, test_no_kind);
    ADD_FOR_KINDS(tcase, test_kind_of_handle);
    tcase = add_case(suite, "options");
    tcase_add_test(tcase, test_default_options);
    ADD_FOR_KINDS(tcase, test_flags);
    ADD_FOR_KINDS(tcase, test_timeouts);
    ADD_FOR_KINDS(tcase, test_file_modes);
    ADD_FOR_KINDS(tcase, test_ranges);
    ADD_FOR_KINDS(tcase, test_cancel_values);
    ADD_FOR_KINDS(tcase, test_sizes);
    ADD_FOR_KINDS(tcase, test_first_size);
    ADD_FOR_KINDS(tcase, test_lease_ms);
    ADD_FOR_KINDS(tcase, test_options_are_not_kept);
    ADD_FOR_KINDS(tcase, test_path_is_copied);
    return suite;
}
