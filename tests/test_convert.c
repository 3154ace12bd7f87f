/* SPDX-License-Identifier: MIT
 *
 * test_convert.c - the mode of a held lock changes, and no other process gets in between.
 */
#include "peers.h"

#include <stdio.h>
#include <string.h>

static int can_convert(const struct kind *kind, enum filelock_mode mode)
{
    return (kind->can & (mode == FILELOCK_SHARED ? CAN_SHARE : CAN_CONVERT_UP)) != 0;
}

static struct filelock *held(const struct kind *kind, unsigned flags, enum filelock_mode mode)
{
    struct filelock *lock = new_lock(kind, scratch("lock"), flags);
    EXPECT(filelock_acquire(lock, mode, FILELOCK_TRY), 0);
    return lock;
}

/* True if another process could have the lock in this mode now. */
static int others_can(struct peer *peer, const char *mode)
{
    const char *said = peer_ask(peer, "acquire a %s 0", mode);
    if (!strcmp(said, "-ETIMEDOUT"))
        return 0;
    ck_assert_str_eq(said, "0");
    PEER_SAYS(peer, "0", "release a");
    return 1;
}

START_TEST(test_bad_arguments)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_convert(NULL, FILELOCK_SHARED, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), -EPERM);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EPERM);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_convert(lock, (enum filelock_mode) 2, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, -3), -EINVAL);
    ck_assert_uint_eq(filelock_depth(lock), 1);
    filelock_free(lock);
}
END_TEST

START_TEST(test_same_mode)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = held(kind, 0, FILELOCK_EXCLUSIVE);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    expect_taken(kind, scratch("lock"));
    filelock_free(lock);
    if (!(kind->can & CAN_SHARE))
        return;
    lock = held(kind, 0, FILELOCK_SHARED);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    expect_taken(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_down)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = held(kind, 0, FILELOCK_EXCLUSIVE);
    ck_assert(!others_can(peer, "shared"));
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    ck_assert(others_can(peer, "shared"));
    ck_assert(!others_can(peer, "exclusive"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EDEADLK); /* the handle knows its mode */
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert(others_can(peer, "exclusive"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_up)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = held(kind, 0, FILELOCK_SHARED);
    if (!can_convert(kind, FILELOCK_EXCLUSIVE)) {
        EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOTSUP);
        ck_assert(others_can(peer, "shared"));
        ck_assert(!others_can(peer, "exclusive"));
        filelock_free(lock);
        return;
    }
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EINVAL);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), -EINVAL); /* the default is for ever */
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(!others_can(peer, "shared"));
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert(!others_can(peer, "shared"));
    EXPECT(filelock_release(lock), 0);
    ck_assert(others_can(peer, "exclusive"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* A conversion that fails leaves the lock as it was. */
START_TEST(test_up_fails)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_CONVERT_UP);
    struct peer *reader = peer_with(kind, scratch("lock"), 0), *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = held(kind, 0, FILELOCK_SHARED);
    PEER_SAYS(reader, "0", "acquire a shared 0");
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    EXPECT_TOOK(start, 100);
    PEER_SAYS(reader, "0", "release a");
    ck_assert_uint_eq(filelock_depth(lock), 1);
    ck_assert(others_can(peer, "shared"));
    ck_assert(!others_can(peer, "exclusive"));
    EXPECT(filelock_release(lock), 0);
    ck_assert(others_can(peer, "exclusive"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_up_waits)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_CONVERT_UP);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *reader = held(kind, 0, FILELOCK_SHARED);
    PEER_SAYS(peer, "0", "acquire a shared 0");
    peer_send(peer, "convert a exclusive %d", PATIENCE_MS);
    wait_for_queue(kind, scratch("lock"), 1);
    ck_assert(peer_silent(peer));
    EXPECT(filelock_release(reader), 0);
    PEER_ANSWERS(peer, "0");
    EXPECT(filelock_acquire(reader, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    filelock_free(reader);
}
END_TEST

/* Two holders that convert up wait for each other.  Each has a deadline, and both go on sharing. */
START_TEST(test_two_up)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_CONVERT_UP);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = held(kind, 0, FILELOCK_SHARED);
    PEER_SAYS(peer, "0", "acquire a shared 0");
    peer_send(peer, "convert a exclusive %d", PATIENCE_MS);
    wait_for_queue(kind, scratch("lock"), 1);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, 50), -ETIMEDOUT);
    ck_assert(peer_silent(peer));
    EXPECT(filelock_release(lock), 0);
    PEER_ANSWERS(peer, "0");
    PEER_SAYS(peer, "0", "release a");
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_depth)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct filelock *lock = held(kind, 0, FILELOCK_EXCLUSIVE);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), -EBUSY);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    if (can_convert(kind, FILELOCK_EXCLUSIVE))
        EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0); /* no hold relies on others coming in */
    EXPECT(filelock_release_all(lock), 0);
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_other_thread)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    PEER_SAYS(peer, "0", "on other convert a shared 0");
    PEER_SAYS(peer, "-EPERM", "answer other");
    PEER_SAYS(peer, "0", "convert a shared 0");
}
END_TEST

/* While a thread waits to convert, another thread finds the lock held, and cannot release it. */
START_TEST(test_release_beside_conversion)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_CONVERT_UP);
    struct filelock *reader = held(kind, 0, FILELOCK_SHARED);
    struct peer *peer = peer_with(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    PEER_SAYS(peer, "0", "acquire a shared 0");
    PEER_SAYS(peer, "0", "on other convert a exclusive %d", PATIENCE_MS);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(peer, "1", "held a");
    PEER_SAYS(peer, "-EBUSY", "release a");
    PEER_SAYS(peer, "-EBUSY", "convert a exclusive 0");
    PEER_SAYS(peer, "0", "acquire a shared 0");
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_release(reader), 0);
    PEER_SAYS(peer, "0", "answer other");
    PEER_SAYS(peer, "0", "release a");
    expect_free(kind, scratch("lock"));
    filelock_free(reader);
}
END_TEST

START_TEST(test_cancelled)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_CONVERT_UP);
    struct filelock *reader = held(kind, 0, FILELOCK_SHARED);
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    waitable_open(&pair);
    options.cancel = pair.waitable;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    waitable_set(&pair);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), -ECANCELED);
    EXPECT(filelock_release(reader), 0);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    ck_assert(others_can(peer, "shared"));
    ck_assert(!others_can(peer, "exclusive"));
    filelock_free(lock);
    filelock_free(reader);
    waitable_close(&pair);
}
END_TEST

/* The record is there only while the lock is exclusive. */
START_TEST(test_record)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    NEEDS(kind, CAN_KEEP_FILE);
    struct filelock *lock = held(kind, FILELOCK_RECORD_OWNER, FILELOCK_EXCLUSIVE);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    expect_contents(scratch("lock"), "");
    if (can_convert(kind, FILELOCK_EXCLUSIVE)) {
        EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        struct filelock_owner owner = { .size = sizeof owner };
        EXPECT(filelock_owner(lock, &owner), 0);
        ck_assert_int_eq(owner.pid, own_pid());
    }
    EXPECT(filelock_release(lock), 0);
    expect_contents(scratch("lock"), "");
    filelock_free(lock);
}
END_TEST

START_TEST(test_sentences)
{
    const struct kind *kind = kind_at(_i);
    char text[512];
    struct filelock *lock = held(kind, 0, FILELOCK_EXCLUSIVE);
    enum filelock_mode mode = kind->can & CAN_SHARE ? FILELOCK_EXCLUSIVE : FILELOCK_SHARED;
    if (mode == FILELOCK_EXCLUSIVE)
        EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    int result = filelock_convert(lock, mode, FILELOCK_FOREVER);
    EXPECT(result, can_convert(kind, mode) ? -EINVAL : -ENOTSUP);
    filelock_describe(lock, result, text, sizeof text);
    ck_assert_msg(strstr(text, mode == FILELOCK_SHARED ? " to shared: " : " to exclusive: ") != NULL, "%s", text);
    ck_assert_msg(!strncmp(text, "cannot convert ", 15), "%s", text);
    filelock_free(lock);
}
END_TEST

/* ---- Processes that try to get in between ------------------------------------------------------------ */

/* If there were any moment in between, a process that waits for the exclusive lock would get it. */
START_TEST(test_nobody_gets_in_between)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    const int rounds = scaled(100, 10);
    struct peer *rival = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    for (int i = 0; i < rounds; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        peer_send(rival, "acquire a exclusive -1");
        wait_for_queue(kind, scratch("lock"), 1);
        EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
        for (int j = 0; j < 20 && can_convert(kind, FILELOCK_EXCLUSIVE); j++) {
            EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
            EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
        }
        ck_assert_msg(peer_silent(rival), "another process got in between");
        EXPECT(filelock_release(lock), 0);
        PEER_ANSWERS(rival, "0");
        PEER_SAYS(rival, "0", "release a");
    }
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("convert");
    TCase *tcase = add_case(suite, "convert");
    ADD_FOR_KINDS(tcase, test_bad_arguments);
    ADD_FOR_KINDS(tcase, test_same_mode);
    ADD_FOR_KINDS(tcase, test_down);
    ADD_FOR_KINDS(tcase, test_up);
    ADD_FOR_KINDS(tcase, test_up_fails);
    ADD_FOR_KINDS(tcase, test_up_waits);
    ADD_FOR_KINDS(tcase, test_two_up);
    ADD_FOR_KINDS(tcase, test_depth);
    ADD_FOR_KINDS(tcase, test_other_thread);
    ADD_FOR_KINDS(tcase, test_release_beside_conversion);
    ADD_FOR_KINDS(tcase, test_cancelled);
    ADD_FOR_KINDS(tcase, test_record);
    ADD_FOR_KINDS(tcase, test_sentences);
    ADD_FOR_KINDS(tcase, test_nobody_gets_in_between);
    return suite;
}
