/* SPDX-License-Identifier: MIT
 *
 * test_several.c - several locks at once: a caller gets all or none, and no caller waits for ever.
 */
#include "peers.h"

#include <stdio.h>
#include <string.h>

#define MANY 4

static const char *path_of(int i)
{
    char name[16];
    snprintf(name, sizeof name, "lock%d", i);
    return scratch(name);
}

/* Returns the kinds of this build, one after the other. */
static const struct kind *mixed(int i)
{
    return kind_at(i % kinds_count());
}

static void new_locks(struct filelock *locks[MANY])
{
    for (int i = 0; i < MANY; i++)
        locks[i] = new_lock(mixed(i), path_of(i), 0);
}

static void free_locks(struct filelock *locks[MANY])
{
    for (int i = 0; i < MANY; i++)
        filelock_free(locks[i]);
}

static void expect_depths(struct filelock *const locks[MANY], unsigned depth)
{
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(filelock_depth(locks[i]), depth);
}

/* Starts a process that has handles "a", "b", ... of the same locks. */
static struct peer *rival_new(void)
{
    struct peer *peer = peer_start();
    for (int i = 0; i < MANY; i++)
        PEER_SAYS(peer, "0", "new %c kind=%d path=%s", 'a' + i, mixed(i)->kind, path_of(i));
    return peer;
}

START_TEST(test_bad_arguments)
{
    struct filelock *locks[MANY];
    new_locks(locks);
    EXPECT(filelock_acquire_several(NULL, 1, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire_several(locks, 0, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire_several(locks, MANY, (enum filelock_mode) 2, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, -3), -EINVAL);
    struct filelock *twice[] = { locks[0], locks[1], locks[0] }, *none[] = { locks[0], NULL };
    EXPECT(filelock_acquire_several(twice, 3, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire_several(none, 2, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_release_several(NULL, 1), -EINVAL);
    EXPECT(filelock_release_several(locks, 0), -EINVAL);
    EXPECT(filelock_release_several(locks, MANY), -EPERM);
    expect_depths(locks, 0);
    free_locks(locks);
}
END_TEST

START_TEST(test_all)
{
    struct filelock *locks[MANY];
    new_locks(locks);
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    expect_depths(locks, 2);
    EXPECT(filelock_release_several(locks, MANY), 0);
    for (int i = 0; i < MANY; i++)
        expect_taken(mixed(i), path_of(i));
    EXPECT(filelock_release(locks[1]), 0);
    EXPECT(filelock_release_several(locks, MANY), -EPERM); /* but the others are released */
    expect_depths(locks, 0);
    for (int i = 0; i < MANY; i++)
        expect_free(mixed(i), path_of(i));
    free_locks(locks);
}
END_TEST

START_TEST(test_none)
{
    struct filelock *locks[MANY];
    char text[512];
    struct peer *peer = rival_new();
    new_locks(locks);
    PEER_SAYS(peer, "0", "acquire %c exclusive 0", 'a' + _i);
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    expect_depths(locks, 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    EXPECT_TOOK(start, 100);
    expect_depths(locks, 0);
    filelock_describe(locks[_i], -ETIMEDOUT, text, sizeof text);
    ck_assert_msg(strstr(text, "within 0.1 s: held by ") != NULL, "%s", text);
    for (int i = 0; i < MANY; i++)
        if (i != _i)
            expect_free(mixed(i), path_of(i));
    free_locks(locks);
}
END_TEST

/* While a caller waits for one of the locks, the others can be had. */
START_TEST(test_waits_with_nothing_in_hand)
{
    struct filelock *locks[MANY];
    struct peer *waiter = rival_new();
    new_locks(locks);
    EXPECT(filelock_acquire(locks[_i], FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    peer_send(waiter, "acquire_several exclusive %d a b c d", PATIENCE_MS);
    wait_for_queue(mixed(_i), path_of(_i), 1);
    ck_assert(peer_silent(waiter));
    for (int i = 0; i < MANY; i++)
        if (i != _i) {
            EXPECT(filelock_acquire(locks[i], FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
            EXPECT(filelock_release(locks[i]), 0);
        }
    EXPECT(filelock_release(locks[_i]), 0);
    PEER_ANSWERS(waiter, "0");
    for (int i = 0; i < MANY; i++)
        expect_taken(mixed(i), path_of(i));
    PEER_SAYS(waiter, "0", "release_several a b c d");
    free_locks(locks);
}
END_TEST

START_TEST(test_same_file)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *twins[] = { new_lock(kind, scratch("a"), 0), new_lock(kind, scratch("a"), 0) };
    for (int round = 0; round < 2; round++) { /* the first round makes its file */
        EXPECT(filelock_acquire_several(twins, 2, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EDEADLK);
        EXPECT(filelock_acquire_several(twins, 2, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
        if (kind->can & CAN_SHARE)
            EXPECT(filelock_acquire_several(twins, 2, FILELOCK_SHARED, FILELOCK_TRY), -EDEADLK);
        ck_assert_uint_eq(filelock_depth(twins[0]) + filelock_depth(twins[1]), 0);
    }
    expect_free(kind, scratch("a"));
    filelock_free(twins[0]);
    filelock_free(twins[1]);
}
END_TEST

/* A level from before stays, whatever becomes of the other locks. */
START_TEST(test_level_from_before)
{
    struct filelock *locks[MANY];
    struct peer *peer = rival_new();
    new_locks(locks);
    EXPECT(filelock_acquire(locks[0], FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(peer, "0", "acquire b exclusive 0");
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    ck_assert_uint_eq(filelock_depth(locks[0]), 1);
    PEER_SAYS(peer, "0", "release b");
    EXPECT(filelock_acquire_several(locks, MANY, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_uint_eq(filelock_depth(locks[0]), 2);
    free_locks(locks);
}
END_TEST

START_TEST(test_shared)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *locks[] = { new_lock(kind, scratch("a"), 0), new_lock(kind, scratch("b"), 0) };
    int result = filelock_acquire_several(locks, 2, FILELOCK_SHARED, FILELOCK_TRY);
    EXPECT(result, kind->can & CAN_SHARE ? 0 : -EINVAL);
    if (result == 0) {
        struct peer *peer = peer_with(kind, scratch("b"), 0);
        PEER_SAYS(peer, "0", "acquire a shared 0");
        PEER_SAYS(peer, "0", "release a");
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    }
    filelock_free(locks[0]);
    filelock_free(locks[1]);
}
END_TEST

/* Processes that name the same locks in different orders all get through. */
START_TEST(test_different_orders)
{
    static const char *const orders[] = { "a b c d", "d c b a", "b d a c" };
    enum { RIVALS = sizeof orders / sizeof *orders };
    const int rounds = scaled(40, 5);
    struct peer *rivals[RIVALS];
    for (int i = 0; i < RIVALS; i++)
        rivals[i] = rival_new();
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < RIVALS; i++) {
            PEER_SAYS(rivals[i], "0", "on worker acquire_several exclusive %d %s", PATIENCE_MS, orders[i]);
            PEER_SAYS(rivals[i], "0", "on other ping");
        }
        for (int i = 0; i < RIVALS; i++)
            peer_send(rivals[i], "answer worker");
        for (int done = 0, has[RIVALS] = { 0 }; done < RIVALS;) {
            int inside = 0;
            for (int i = 0; i < RIVALS; i++)
                if (!has[i] && !peer_silent(rivals[i])) {
                    PEER_ANSWERS(rivals[i], "0");
                    ck_assert_msg(++inside == 1, "two have them");
                    PEER_SAYS(rivals[i], "0", "on worker release_several %s", orders[i]);
                    PEER_SAYS(rivals[i], "0", "answer worker");
                    inside = 0;
                    has[i] = 1;
                    done++;
                }
            nap_ms(1);
        }
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("several");
    TCase *tcase = add_case(suite, "several");
    tcase_add_test(tcase, test_bad_arguments);
    tcase_add_test(tcase, test_all);
    tcase_add_loop_test(tcase, test_none, 0, MANY);
    tcase_add_loop_test(tcase, test_waits_with_nothing_in_hand, 0, MANY);
    ADD_FOR_KINDS(tcase, test_same_file);
    tcase_add_test(tcase, test_level_from_before);
    ADD_FOR_KINDS(tcase, test_shared);
    tcase_add_test(tcase, test_different_orders);
    return suite;
}
