/* SPDX-License-Identifier: MIT
 *
 * test_replaced.c - lock files that are deleted or replaced, by other programs or by FILELOCK_UNLINK.
 */
#include "peers.h"
#include "testing.h"

#include <string.h>

static void replace(const char *path)
{
    ck_assert_int_eq(write_file(scratch("new"), "", 0), 0);
    ck_assert_int_eq(rename_over(scratch("new"), path), 0);
}

/* Does to a lock file what may happen without notice: replaces it, or removes it. */
static void disturb(const char *path, int how)
{
    if (how)
        replace(path);
    else
        ck_assert_int_eq(remove_file(path), 0);
}

START_TEST(test_stale_while_held)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_BE_REPLACED);
    const char *path = scratch("lock");
    for (int how = 0; how < 2; how++) {
        struct filelock *lock = new_lock(kind, path, 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        disturb(path, how);
        EXPECT(filelock_check(lock), -ESTALE);
        ck_assert_int_eq(filelock_held(lock), 1);
        EXPECT(filelock_release(lock), kind->can & CAN_LAST ? 0 : -ESTALE);
        EXPECT(filelock_check(lock), -EPERM);
        ck_assert_int_eq(path_exists(path), how); /* a file of another holder is not removed */
        remove_file(path);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        expect_taken(kind, path);
        filelock_free(lock);
        remove_file(path);
    }
}
END_TEST

/* If the path names the same file again, nothing has changed. */
START_TEST(test_moved_away_and_back)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(rename_over(path, scratch("away")), 0);
    EXPECT(filelock_check(lock), -ESTALE);
    ck_assert_int_eq(rename_over(scratch("away"), path), 0);
    EXPECT(filelock_check(lock), 0);
    expect_taken(kind, path);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

/* A handle at rest keeps a descriptor.  The next acquire must not lock the old file through it. */
START_TEST(test_replaced_at_rest)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    for (int how = 0; how < 2; how++) {
        struct filelock *lock = new_lock(kind, path, 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
        if ((kind->can & CAN_KEEP_FILE) && (kind->can & CAN_BE_REPLACED))
            disturb(path, how);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        expect_taken(kind, path);
        filelock_free(lock);
    }
}
END_TEST

START_TEST(test_replaced_by_a_held_one)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, scratch("new"), 0);
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    ck_assert_int_eq(rename_over(scratch("new"), path), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* A waiter on a file that goes away gets the file that is there when its turn comes. */
START_TEST(test_waiter_on_replaced)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    for (int round = 0; round < 4; round++) {
        struct peer *waiter = peer_with(kind, path, 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        peer_send(waiter, "acquire a exclusive %d", round % 2 ? -1 : PATIENCE_MS);
        wait_for_queue(kind, path, 1);
        disturb(path, round / 2);
        EXPECT(filelock_release(lock), 0);
        PEER_ANSWERS(waiter, "0");
        PEER_SAYS(waiter, "0", "check a");
        expect_taken(kind, path);
        PEER_SAYS(waiter, "0", "release a");
    }
    filelock_free(lock);
}
END_TEST

/* The waiter waits again, on the new file, if that is held when the old file is released. */
START_TEST(test_waiter_moves_on)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct filelock *old = new_lock(kind, path, 0), *new = new_lock(kind, path, 0);
    for (int round = 0; round < 2; round++) {
        struct peer *waiter = peer_with(kind, path, 0);
        EXPECT(filelock_acquire(old, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        peer_send(waiter, "acquire a exclusive %d", round ? -1 : PATIENCE_MS);
        wait_for_queue(kind, path, 1);
        replace(path);
        EXPECT(filelock_acquire(new, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(old), 0);
        wait_for_queue(kind, path, 1);
        ck_assert(peer_silent(waiter));
        EXPECT(filelock_release(new), 0);
        PEER_ANSWERS(waiter, "0");
        expect_taken(kind, path);
        peer_end(waiter);
    }
    filelock_free(old);
    filelock_free(new);
}
END_TEST

/* A wait has a single deadline, for all files that it waits on. */
START_TEST(test_deadline_across_files)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct caller caller;
    caller_start(&caller);
    struct filelock *old = new_lock(kind, path, 0), *new = new_lock(kind, path, 0);
    struct filelock *waiting = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(old, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int64_t start = now_ns();
    begin_acquire(&caller, waiting, FILELOCK_EXCLUSIVE, 300);
    wait_for_queued(kind, path, &caller);
    replace(path);
    EXPECT(filelock_acquire(new, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(old), 0);
    EXPECT(end_call(&caller), -ETIMEDOUT);
    EXPECT_TOOK(start, 300);
    caller_end(&caller);
    filelock_free(old);
    filelock_free(new);
    filelock_free(waiting);
}
END_TEST

/* When the time is up, the path may name another file that is free.  Then the caller gets it. */
START_TEST(test_deadline_on_a_file_that_is_gone)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct caller caller;
    caller_start(&caller);
    struct filelock *old = new_lock(kind, path, 0);
    struct filelock *waiting = new_lock(kind, path, FILELOCK_ANY_THREAD);
    for (int how = 0; how < 2; how++) {
        EXPECT(filelock_acquire(old, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        begin_acquire(&caller, waiting, FILELOCK_EXCLUSIVE, 2000);
        wait_for_queued(kind, path, &caller);
        disturb(path, how);
        EXPECT(end_call(&caller), 0);
        EXPECT(filelock_check(waiting), 0);
        expect_taken(kind, path);
        EXPECT(filelock_check(old), -ESTALE);
        EXPECT(filelock_release(old), 0);
        EXPECT(filelock_release(waiting), 0);
    }
    caller_end(&caller);
    filelock_free(old);
    filelock_free(waiting);
}
END_TEST

/* ---- FILELOCK_UNLINK ------------------------------------------------------------------------- */

START_TEST(test_unlink)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    for (int round = 0; round < 3; round++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
        ck_assert_msg(path_exists(path), "removed before the last release");
        EXPECT(round == 2 ? filelock_release_all(lock) : filelock_release(lock), 0);
        ck_assert_msg(!path_exists(path), "not removed");
    }
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    ck_assert_msg(!path_exists(path), "not removed by filelock_free");
}
END_TEST

START_TEST(test_no_unlink)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    ck_assert(path_exists(path));
}
END_TEST

/* The file is never removed while another holder has it. */
START_TEST(test_unlink_shared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    const char *path = scratch("lock");
    struct filelock *one = new_lock(kind, path, FILELOCK_UNLINK), *other = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(one, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_SHARED, FILELOCK_TRY), 0);
    uint64_t identity = file_identity(path);
    EXPECT(filelock_release(one), 0);
    ck_assert_msg(file_identity(path) == identity, "removed while another handle holds it");
    EXPECT(filelock_check(other), 0);
    expect_taken(kind, path);
    EXPECT(filelock_release(other), 0);
    ck_assert(!path_exists(path));
    filelock_free(one);
    filelock_free(other);
}
END_TEST

START_TEST(test_unlink_with_waiters)
{
    enum { MANY = 4 };
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *waiters[MANY];
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < MANY; i++) {
        waiters[i] = peer_with(kind, path, FILELOCK_UNLINK);
        peer_send(waiters[i], "acquire a exclusive %d", i % 2 ? -1 : PATIENCE_MS);
    }
    wait_for_queue(kind, path, MANY);
    EXPECT(filelock_release(lock), 0);
    for (int served = 0; served < MANY; served++) {
        int next = 0;
        EVENTUALLY((next = (next + 1) % MANY, waiters[next] && !peer_silent(waiters[next])));
        PEER_ANSWERS(waiters[next], "0");
        PEER_SAYS(waiters[next], "0", "check a");
        expect_taken(kind, path);
        for (int i = 0; i < MANY; i++)
            ck_assert_msg(i == next || !waiters[i] || peer_silent(waiters[i]), "two hold it");
        PEER_SAYS(waiters[next], "0", "release a");
        waiters[next] = NULL;
    }
    EVENTUALLY(!path_exists(path));
    filelock_free(lock);
}
END_TEST

/* A release does not remove the file at the path if it is another file by now. */
START_TEST(test_unlink_spares_others)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    replace(path);
    uint64_t identity = file_identity(path);
    EXPECT(filelock_release(lock), 0);
    ck_assert_msg(file_identity(path) == identity, "another file was removed");
    filelock_free(lock);
}
END_TEST

/* An acquire that times out must not remove the file that another process holds. */
START_TEST(test_unlink_only_by_holder)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 10), -ETIMEDOUT);
    EXPECT(filelock_release(lock), -EPERM);
    filelock_free(lock);
    ck_assert(path_exists(path));
    PEER_SAYS(peer, "0", "check a");
}
END_TEST

START_TEST(test_unlink_killed_holder)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct peer *peer = peer_with(kind, path, FILELOCK_UNLINK);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    peer_kill(peer);
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert(!path_exists(path));
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("replaced");
    TCase *tcase = add_case(suite, "replaced");
    ADD_FOR_KINDS(tcase, test_stale_while_held);
    ADD_FOR_KINDS(tcase, test_moved_away_and_back);
    ADD_FOR_KINDS(tcase, test_replaced_at_rest);
    ADD_FOR_KINDS(tcase, test_replaced_by_a_held_one);
    ADD_FOR_KINDS(tcase, test_waiter_on_replaced);
    ADD_FOR_KINDS(tcase, test_waiter_moves_on);
    ADD_FOR_KINDS(tcase, test_deadline_across_files);
    ADD_FOR_KINDS(tcase, test_deadline_on_a_file_that_is_gone);
    tcase = add_case(suite, "unlink");
    ADD_FOR_KINDS(tcase, test_unlink);
    ADD_FOR_KINDS(tcase, test_no_unlink);
    ADD_FOR_KINDS(tcase, test_unlink_shared);
    ADD_FOR_KINDS(tcase, test_unlink_with_waiters);
    ADD_FOR_KINDS(tcase, test_unlink_spares_others);
    ADD_FOR_KINDS(tcase, test_unlink_only_by_holder);
    ADD_FOR_KINDS(tcase, test_unlink_killed_holder);
    return suite;
}
