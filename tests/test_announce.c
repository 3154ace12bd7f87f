/* SPDX-License-Identifier: MIT
 *
 * test_announce.c - options.on_wait: a caller that waits is told so, once, and may ask for whom it waits.
 */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct told {
    int times;
    struct filelock *lock;
    int64_t pid;
    char text[512];
    void (*also)(struct filelock *lock, struct told *told);
};

static void note(struct filelock *lock, void *arg)
{
    struct told *told = arg;
    struct filelock_owner owner = { .size = sizeof owner };
    told->times++;
    told->lock = lock;
    told->pid = filelock_owner(lock, &owner) == 0 ? owner.pid : 0;
    filelock_describe(lock, -EINPROGRESS, told->text, sizeof told->text);
    if (told->also)
        told->also(lock, told);
}

static struct filelock *telling(const struct kind *kind, struct told *told, unsigned flags)
{
    struct filelock_options options = options_of(kind);
    memset(told, 0, sizeof *told);
    options.on_wait = note;
    options.on_wait_arg = told;
    options.flags = flags;
    return new_lock_with(&options, scratch("lock"));
}

START_TEST(test_free)
{
    struct told told;
    struct filelock *lock = telling(kind_at(_i), &told, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    ck_assert_int_eq(told.times, 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_held)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    char wanted[600], text[512];
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = telling(kind, &told, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(told.times, 0); /* the call does not wait */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    ck_assert_int_eq(told.times, 1);
    ck_assert_ptr_eq(told.lock, lock);
    snprintf(wanted, sizeof wanted, "waiting for %s: held by ", scratch("lock"));
    ck_assert_msg(!strncmp(told.text, wanted, strlen(wanted)), "%s", told.text);
    if (told.pid)
        ck_assert_int_eq(told.pid, peer_pid(peer));
    filelock_describe(lock, -ETIMEDOUT, text, sizeof text); /* describes the acquire, not the question */
    ck_assert_msg(!strncmp(text, "cannot acquire ", 15), "%s", text);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    ck_assert_int_eq(told.times, 2);
    filelock_free(lock);
}
END_TEST

static struct peer *releasing;

static void let_it_go(struct filelock *lock, struct told *told)
{
    (void) lock;
    (void) told;
    PEER_SAYS(releasing, "0", "release a");
}

/* The library holds none of its own locks during the call, so the lock that is waited for can be released there. */
START_TEST(test_released_meanwhile)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    struct filelock *lock = telling(kind, &told, _i % 2 ? FILELOCK_INTERRUPTIBLE : 0);
    releasing = peer_with(kind, scratch("lock"), 0);
    told.also = let_it_go;
    PEER_SAYS(releasing, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    ck_assert_int_eq(told.times, 1);
    filelock_free(lock);
}
END_TEST

static void try_all(struct filelock *lock, struct told *told)
{
    (void) told;
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EBUSY);
    EXPECT(filelock_release(lock), -EBUSY);
    EXPECT(filelock_release_all(lock), -EBUSY);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EBUSY);
    ck_assert_int_eq(filelock_held(lock), 0);
    filelock_free(lock); /* does nothing */
}

START_TEST(test_handle_is_busy)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = telling(kind, &told, 0);
    told.also = try_all;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    ck_assert_int_eq(told.times, 1);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

static void take_time(struct filelock *lock, struct told *told)
{
    (void) lock;
    (void) told;
    nap_ms(60);
}

START_TEST(test_time_counts)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = telling(kind, &told, 0);
    told.also = take_time;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 80), -ETIMEDOUT);
    EXPECT_TOOK(start, 80);
    filelock_free(lock);
}
END_TEST

/* A wait for another thread of this process is announced too.  Other threads go on meanwhile. */
START_TEST(test_other_thread)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    struct caller other;
    struct filelock *lock = telling(kind, &told, 0);
    caller_start(&other);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(caller_acquire(&other, lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    ck_assert_int_eq(told.times, 1);
    begin_acquire(&other, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&other);
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&other), 0);
    ck_assert_int_eq(told.times, 2);
    EXPECT(caller_call(&other, CALL_RELEASE, lock), 0);
    caller_end(&other);
    filelock_free(lock);
}
END_TEST

/* A marker of a dead owner is not waited for. */
START_TEST(test_dead_owner)
{
    const struct kind *kind = kind_at(_i);
    struct told told;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = telling(kind, &told, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    peer_kill(peer);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    if (!(kind->can & CAN_KEEP_FILE))
        ck_assert_int_eq(told.times, 0);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("announce");
    TCase *tcase = add_case(suite, "on_wait");
    ADD_FOR_KINDS(tcase, test_free);
    ADD_FOR_KINDS(tcase, test_held);
    ADD_FOR_KINDS(tcase, test_released_meanwhile);
    ADD_FOR_KINDS(tcase, test_handle_is_busy);
    ADD_FOR_KINDS(tcase, test_time_counts);
    ADD_FOR_KINDS(tcase, test_other_thread);
    ADD_FOR_KINDS(tcase, test_dead_owner);
    return suite;
}
