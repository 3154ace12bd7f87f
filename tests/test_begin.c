/* SPDX-License-Identifier: MIT
 *
 * test_begin.c - acquires that do not block: begin, waitable, finish, abort.
 */
#include "markers.h"
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_ready(const struct filelock *lock)
{
    struct signal_pair pair = { .waitable = filelock_acquire_waitable(lock) };
    ck_assert_msg(pair.waitable != FILELOCK_NO_WAITABLE, "there is no waitable");
    return waitable_is_set(&pair);
}

static int is_under_way(const struct filelock *lock)
{
    return filelock_acquire_waitable(lock) != FILELOCK_NO_WAITABLE;
}

/* Waits for the end of the attempt, and takes its result. */
static int finish(struct filelock *lock)
{
    EVENTUALLY(is_ready(lock));
    nap_ms(1);
    ck_assert_msg(is_ready(lock), "the waitable does not stay ready");
    int rc = filelock_acquire_finish(lock);
    ck_assert_int_ne(rc, -EINPROGRESS);
    ck_assert(!is_under_way(lock));
    EXPECT(filelock_acquire_finish(lock), -EINVAL);
    EXPECT(filelock_acquire_abort(lock), -EINVAL);
    return rc;
}

static struct peer *holder(const struct kind *kind, const char *path)
{
    struct peer *peer = peer_with(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

#define BEGIN(lock, timeout_ms, want) EXPECT(filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, timeout_ms), want)

START_TEST(test_arguments)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    char text[512];
    EXPECT(filelock_acquire_begin(NULL, FILELOCK_EXCLUSIVE, 0), -EINVAL);
    EXPECT(filelock_acquire_begin(lock, (enum filelock_mode) 2, 0), -EINVAL);
    BEGIN(lock, -3, -EINVAL);
    if (!(kind->can & CAN_SHARE))
        EXPECT(filelock_acquire_begin(lock, FILELOCK_SHARED, 0), -EINVAL);
    EXPECT(filelock_acquire_finish(NULL), -EINVAL);
    EXPECT(filelock_acquire_abort(NULL), -EINVAL);
    EXPECT(filelock_acquire_abort(lock), -EINVAL);
    EXPECT(filelock_acquire_finish(lock), -EINVAL);
    filelock_describe(lock, -EINVAL, text, sizeof text);
    ck_assert_msg(strstr(text, "no acquire of it is under way") != NULL, "%s", text);
    ck_assert(filelock_acquire_waitable(NULL) == FILELOCK_NO_WAITABLE);
    ck_assert(!is_under_way(lock));
    filelock_free(lock);
}
END_TEST

START_TEST(test_free_lock)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    BEGIN(lock, FILELOCK_TRY, 0);
    ck_assert(!is_under_way(lock));
    ck_assert_uint_eq(filelock_depth(lock), 1);
    EXPECT(filelock_acquire_finish(lock), -EINVAL);
    EXPECT(filelock_acquire_abort(lock), -EINVAL);
    BEGIN(lock, FILELOCK_FOREVER, 0);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_release_all(lock), 0);
    expect_free(kind_at(_i), filelock_path(lock));
    filelock_free(lock);
}
END_TEST

/* The errors of an acquire are those of begin. */
START_TEST(test_no_directory)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("none/lock"), 0);
    BEGIN(lock, FILELOCK_FOREVER, -ENOENT);
    ck_assert(!is_under_way(lock));
    filelock_free(lock);
}
END_TEST

START_TEST(test_try)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_TRY, -ETIMEDOUT);
    ck_assert(!is_under_way(lock));
    PEER_SAYS(peer, "0", "release a");
    BEGIN(lock, FILELOCK_TRY, 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_granted)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    char text[512];
    for (int round = 0; round < 3; round++) {
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        BEGIN(lock, round == 0 ? FILELOCK_FOREVER : PATIENCE_MS, -EINPROGRESS);
        EXPECT(filelock_acquire_finish(lock), -EINPROGRESS);
        ck_assert(!is_ready(lock));
        filelock_describe(lock, -EINPROGRESS, text, sizeof text);
        ck_assert_msg(!strncmp(text, "waiting for ", 12), "%s", text);
        wait_for_queue(kind, filelock_path(lock), 1);
        ck_assert(!is_ready(lock));
        ck_assert_int_eq(filelock_held(lock), 0);
        PEER_SAYS(peer, "0", "release a");
        EVENTUALLY(is_ready(lock));
        ck_assert_int_eq(filelock_held(lock), 0);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        EXPECT(finish(lock), 0);
        ck_assert_uint_eq(filelock_depth(lock), 1);
        EXPECT(filelock_check(lock), 0);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        EXPECT(filelock_release(lock), 0);
    }
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    filelock_free(lock);
}
END_TEST

/* The end of a holder is noticed as its release is. */
START_TEST(test_killed_holder)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, filelock_path(lock), 1);
    peer_kill(peer);
    EXPECT(finish(lock), 0);
    EXPECT(filelock_check(lock), 0);
    expect_taken(kind, filelock_path(lock));
    filelock_free(lock);
}
END_TEST

START_TEST(test_timeout)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    char text[512];
    for (int round = 0; round < 2; round++) {
        int64_t start = now_ns();
        BEGIN(lock, 60, -EINPROGRESS);
        EVENTUALLY(is_ready(lock));
        EXPECT_TOOK(start, 60);
        EXPECT(filelock_acquire_finish(lock), -ETIMEDOUT);
        filelock_describe(lock, -ETIMEDOUT, text, sizeof text);
        ck_assert_msg(!strncmp(text, "cannot acquire ", 15) && strstr(text, " within 0.06 s") != NULL, "%s", text);
        if (kind->can & CAN_QUEUE)
            ck_assert_int_le(queued_on(filelock_path(lock)), 0);
    }
    PEER_SAYS(peer, "0", "check a");
    PEER_SAYS(peer, "0", "release a");
    BEGIN(lock, 60, 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_cancel)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    waitable_open(&pair);
    options.cancel = pair.waitable;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    waitable_set(&pair);
    BEGIN(lock, FILELOCK_FOREVER, 0); /* a free lock is not cancelled */
    EXPECT(filelock_release(lock), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    EXPECT(finish(lock), -ECANCELED);
    waitable_clear(&pair);
    BEGIN(lock, PATIENCE_MS, -EINPROGRESS);
    wait_for_queue(kind, filelock_path(lock), 1);
    ck_assert(!is_ready(lock));
    waitable_set(&pair);
    EXPECT(finish(lock), -ECANCELED);
    PEER_SAYS(peer, "0", "release a");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

START_TEST(test_abort)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    EXPECT(filelock_acquire_abort(lock), 0); /* the attendant may not have looked yet */
    ck_assert(!is_under_way(lock));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, filelock_path(lock), 1);
    EXPECT(filelock_acquire_abort(lock), 0);
    EXPECT(filelock_acquire_abort(lock), -EINVAL);
    EXPECT(filelock_acquire_finish(lock), -EINVAL);
    if (kind->can & CAN_QUEUE)
        ck_assert_int_le(queued_on(filelock_path(lock)), 0);
    PEER_SAYS(peer, "0", "check a");
    PEER_SAYS(peer, "0", "release a");
    expect_free(kind, filelock_path(lock));
    BEGIN(lock, FILELOCK_FOREVER, 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_abort_after_grant)
{
    const struct kind *kind = kind_at(_i);
    for (int freed = 0; freed < 2; freed++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        struct peer *peer = holder(kind, scratch("lock"));
        BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
        PEER_SAYS(peer, "0", "release a");
        EVENTUALLY(is_ready(lock));
        expect_taken(kind, scratch("lock"));
        if (!freed) {
            EXPECT(filelock_acquire_abort(lock), 0);
            ck_assert_int_eq(filelock_held(lock), 0);
            PEER_SAYS(peer, "0", "acquire a exclusive 0");
            PEER_SAYS(peer, "0", "release a");
        }
        filelock_free(lock);
        expect_free(kind, scratch("lock"));
        peer_end(peer);
    }
}
END_TEST

/* Aborts at any moment of a grant: either way nothing is held. */
START_TEST(test_abort_races)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    for (int round = scaled(200, 20); round > 0; round--) {
        EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
        if (round % 2)
            yield_processor();
        EXPECT(filelock_release(other), 0);
        if (round % 3 == 0)
            yield_processor();
        EXPECT(filelock_acquire_abort(lock), 0);
    }
    expect_free(kind, filelock_path(lock));
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

START_TEST(test_free_aborts)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, filelock_path(lock), 1);
    filelock_free(lock);
    if (kind->can & CAN_QUEUE)
        ck_assert_int_le(queued_on(scratch("lock")), 0);
    PEER_SAYS(peer, "0", "release a");
    expect_free(kind, scratch("lock"));
}
END_TEST

/* What other calls answer while an attempt is under way. */
START_TEST(test_meanwhile)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("other"), 0);
    struct filelock *both[] = { other, lock };
    struct filelock_owner owner = { .size = sizeof owner };
    struct peer *peer = holder(kind, scratch("lock"));
    struct caller caller;
    char text[512];
    caller_start(&caller);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    BEGIN(lock, FILELOCK_FOREVER, -EALREADY);
    filelock_describe(lock, -EALREADY, text, sizeof text);
    ck_assert_msg(strstr(text, ": an acquire of it is under way") != NULL, "%s", text);
    BEGIN(lock, FILELOCK_TRY, -EALREADY);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EALREADY);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EALREADY);
    EXPECT(filelock_acquire_several(both, 2, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EALREADY);
    ck_assert_int_eq(filelock_held(other), 0);
    EXPECT(filelock_release(lock), -EPERM);
    EXPECT(filelock_release_all(lock), -EPERM);
    EXPECT(filelock_check(lock), -EPERM);
    EXPECT(filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EPERM);
    ck_assert_uint_eq(filelock_depth(lock), 0);
    ck_assert_int_eq(filelock_fd(lock), -1);
    int rc = filelock_owner(lock, &owner);
    ck_assert(rc == 0 || rc == -ENOTSUP);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER); /* waits for the end of the attempt */
    wait_for_sleep(&caller);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(finish(lock), 0);
    ck_assert(still_calling(&caller));
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

START_TEST(test_break)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, filelock_path(lock), 1);
    int rc = filelock_break(lock);
    if (kind->can & CAN_KEEP_FILE) {
        EXPECT(rc, -ENOTSUP);
        EXPECT(filelock_acquire_abort(lock), 0);
    } else {
        EXPECT(rc, 0);
        EXPECT(finish(lock), 0);
        PEER_SAYS(peer, "-ESTALE", "check a");
    }
    filelock_free(lock);
}
END_TEST

struct finishing {
    struct filelock *lock;
    int result, held;
};

static void finish_there(void *arg)
{
    struct finishing *finishing = arg;
    finishing->result = filelock_acquire_finish(finishing->lock);
    finishing->held = filelock_held(finishing->lock);
    if (finishing->held)
        filelock_release(finishing->lock);
}

/* The thread that finishes holds the lock, not the thread that began. */
START_TEST(test_finished_by_another_thread)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct finishing finishing = { .lock = lock };
    struct worker worker;
    ck_assert_int_eq(worker_start(&worker), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    PEER_SAYS(peer, "0", "release a");
    EVENTUALLY(is_ready(lock));
    worker_send(&worker, finish_there, &finishing);
    ck_assert(worker_done(&worker, PATIENCE_MS));
    EXPECT(finishing.result, 0);
    ck_assert_int_eq(finishing.held, 1);
    ck_assert_int_eq(filelock_held(lock), 0);
    expect_free(kind, filelock_path(lock));
    worker_end(&worker);
    filelock_free(lock);
}
END_TEST

/* An attempt waits for another thread's lock on the same handle. */
START_TEST(test_held_by_another_thread)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    caller_start(&caller);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    BEGIN(lock, FILELOCK_TRY, -ETIMEDOUT);
    BEGIN(lock, 30, -EINPROGRESS);
    EXPECT(finish(lock), -ETIMEDOUT);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    EXPECT(filelock_acquire_abort(lock), 0);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    ck_assert(!is_ready(lock));
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0); /* one level deeper */
    EXPECT(caller_call(&caller, CALL_RELEASE_ALL, lock), 0);
    EXPECT(finish(lock), 0);
    ck_assert_uint_eq(filelock_depth(lock), 1);
    ck_assert_int_eq(caller_call(&caller, CALL_HELD, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* Both a call and an attempt wait for the peer, which releases.  The call gets the lock, and the attempt joins it. */
static void grant_both(struct caller *caller, struct filelock *lock, struct peer *peer)
{
    begin_acquire(caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(caller);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(caller), 0);
    EVENTUALLY(is_ready(lock));
}

/* A lock that belongs to no thread is joined: one level deeper. */
START_TEST(test_any_thread)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    struct peer *peer = holder(kind, scratch("lock"));
    struct caller caller;
    caller_start(&caller);
    for (int aborted = 0; aborted < 2; aborted++) {
        grant_both(&caller, lock, peer);
        EXPECT(aborted ? filelock_acquire_abort(lock) : finish(lock), 0);
        ck_assert_uint_eq(filelock_depth(lock), aborted ? 1 : 2);
        EXPECT(filelock_release_all(lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(finish(lock), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* The level of an attempt that has joined a held lock is not the holder's to release, nor to be counted. */
START_TEST(test_any_thread_released_before_finish)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    struct peer *peer = holder(kind, scratch("lock"));
    struct caller caller;
    caller_start(&caller);
    for (int round = 0; round < 4; round++) {
        grant_both(&caller, lock, peer);
        ck_assert_uint_eq(filelock_depth(lock), 1);
        EXPECT(round & 1 ? filelock_release(lock) : filelock_release_all(lock), 0);
        ck_assert_int_eq(filelock_held(lock), 0);
        EXPECT(filelock_release(lock), -EPERM);
        EXPECT(filelock_release_all(lock), -EPERM);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        if (round & 2) {
            EXPECT(filelock_acquire_abort(lock), 0);
        } else {
            EXPECT(finish(lock), 0);
            ck_assert_uint_eq(filelock_depth(lock), 1);
            EXPECT(filelock_release(lock), 0);
        }
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_recursion)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    NEEDS(kind, CAN_SHARE);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    BEGIN(lock, FILELOCK_FOREVER, -EDEADLK);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_release_all(lock), 0);
    BEGIN(lock, FILELOCK_FOREVER, 0);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_SHARED, FILELOCK_FOREVER), 0);
    filelock_free(lock);
}
END_TEST

/* A shared attempt is granted while exclusive ones go on waiting. */
START_TEST(test_modes)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct filelock *exclusive = new_lock(kind, scratch("lock"), 0), *shared = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(exclusive, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, scratch("lock"), 1);
    EXPECT(filelock_acquire_begin(shared, FILELOCK_SHARED, FILELOCK_FOREVER), -EINPROGRESS);
    wait_for_queue(kind, scratch("lock"), 2);
    PEER_SAYS(peer, "0", "convert a shared 0");
    EXPECT(finish(shared), 0);
    ck_assert(!is_ready(exclusive));
    PEER_SAYS(peer, "0", "release a");
    ck_assert(!is_ready(exclusive));
    EXPECT(filelock_release(shared), 0);
    EXPECT(finish(exclusive), 0);
    filelock_free(shared);
    filelock_free(exclusive);
}
END_TEST

/* The attempt moves on to the new file, if that is held when the old file is released. */
START_TEST(test_replaced)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    struct peer *old = holder(kind, path);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    wait_for_queue(kind, path, 1);
    ck_assert_int_eq(remove_file(path), 0);
    struct peer *new = holder(kind, path);
    PEER_SAYS(old, "0", "release a");
    wait_for_queue(kind, path, 1);
    ck_assert(!is_ready(lock));
    PEER_SAYS(new, "0", "release a");
    EXPECT(finish(lock), 0);
    EXPECT(filelock_check(lock), 0);
    expect_taken(kind, path);
    filelock_free(lock);
}
END_TEST

#define HANDLES 20

/* Returns the index of a handle whose attempt is over, or -1. */
static int first_ready(struct filelock *const locks[HANDLES])
{
    for (int i = 1; i < HANDLES - 1; i++)
        if (locks[i] && is_ready(locks[i]))
            return i;
    return -1;
}

/* Attempts of many handles on one file are granted one after the other, and not more than one blocks in the kernel. */
START_TEST(test_one_file)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *locks[HANDLES];
    struct peer *peer = holder(kind, scratch("lock"));
    for (int i = 0; i < HANDLES; i++) {
        locks[i] = new_lock(kind, scratch("lock"), 0);
        BEGIN(locks[i], FILELOCK_FOREVER, -EINPROGRESS);
    }
    wait_for_queue(kind, scratch("lock"), 1);
    if (kind->can & CAN_QUEUE)
        ck_assert_int_le(queued_on(scratch("lock")), 1);
    if (counts_threads())
        ck_assert_int_le(thread_count(), 3);
    EXPECT(filelock_acquire_abort(locks[0]), 0);
    EXPECT(filelock_acquire_abort(locks[HANDLES - 1]), 0);
    PEER_SAYS(peer, "0", "release a");
    for (int left = HANDLES - 2; left > 0; left--) {
        int ready;
        EVENTUALLY((ready = first_ready(locks)) >= 0);
        EXPECT(finish(locks[ready]), 0);
        for (int i = 1; i < HANDLES - 1; i++)
            ck_assert_msg(!locks[i] || i == ready || !is_ready(locks[i]), "two handles were granted the lock");
        filelock_free(locks[ready]);
        locks[ready] = NULL;
    }
    expect_free(kind, scratch("lock"));
    filelock_free(locks[0]);
    filelock_free(locks[HANDLES - 1]);
}
END_TEST

#define FILES 50

static const char *file(int i)
{
    char name[32];
    snprintf(name, sizeof name, "lock%d", i);
    return scratch(name);
}

/* Attempts on many files: all are granted when their holder ends. */
START_TEST(test_many_files)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *locks[FILES];
    struct peer *peer = peer_start();
    for (int i = 0; i < FILES; i++) {
        PEER_SAYS(peer, "0", "new h%d kind=%d path=%s", i, kind->kind, file(i));
        PEER_SAYS(peer, "0", "acquire h%d exclusive 0", i);
        locks[i] = new_lock(kind, file(i), 0);
        BEGIN(locks[i], FILELOCK_FOREVER, -EINPROGRESS);
    }
    if (!(kind->can & (CAN_QUEUE | CAN_KEEP_FILE)) && counts_threads())
        ck_assert_int_le(thread_count(), 2); /* no thread waits for a soft lock */
    for (int i = 0; i < FILES; i++)
        ck_assert(!is_ready(locks[i]));
    peer_kill(peer);
    for (int i = 0; i < FILES; i++)
        EXPECT(finish(locks[i]), 0);
    for (int i = 0; i < FILES; i++)
        filelock_free(locks[i]);
}
END_TEST

/*
 * Attempts on dead owners' markers share a few helpers, and both names here have the same one.  An attempt that has to
 * wait for a living holder after all is not in the way of the others.
 */
START_TEST(test_dead_owners)
{
    NEEDS_SOFT();
    struct filelock *same[] = { new_soft(scratch("1x2"), 0), new_soft(scratch("1x2"), 0) };
    struct filelock *other = new_soft(scratch("2x1"), 0);
    put_marker(filelock_path(same[0]), marker_record(dead_pid()));
    put_marker(filelock_path(other), marker_record(dead_pid()));
    BEGIN(same[0], FILELOCK_FOREVER, -EINPROGRESS);
    BEGIN(same[1], FILELOCK_FOREVER, -EINPROGRESS);
    EVENTUALLY(is_ready(same[0]) || is_ready(same[1]));
    int first = is_ready(same[0]) ? 0 : 1;
    EXPECT(finish(same[first]), 0);
    BEGIN(other, FILELOCK_FOREVER, -EINPROGRESS);
    EXPECT(finish(other), 0);
    ck_assert(!is_ready(same[!first]));
    EXPECT(filelock_release(same[first]), 0);
    EXPECT(finish(same[!first]), 0);
    filelock_free(same[0]);
    filelock_free(same[1]);
    filelock_free(other);
}
END_TEST

struct told {
    int times, begun, acquired, finished, aborted;
};

static void note(struct filelock *lock, void *arg)
{
    struct told *told = arg;
    told->times++;
    told->begun = filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    told->acquired = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    told->finished = filelock_acquire_finish(lock);
    told->aborted = filelock_acquire_abort(lock);
    filelock_free(lock);
}

START_TEST(test_on_wait)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    struct told told = { .times = 0 };
    options.on_wait = note;
    options.on_wait_arg = &told;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    BEGIN(lock, FILELOCK_FOREVER, 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(told.times, 0);
    struct peer *peer = holder(kind, scratch("lock"));
    BEGIN(lock, FILELOCK_TRY, -ETIMEDOUT);
    ck_assert_int_eq(told.times, 0);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    ck_assert_int_eq(told.times, 1);
    EXPECT(told.begun, -EBUSY);
    EXPECT(told.acquired, -EBUSY);
    EXPECT(told.finished, -EBUSY);
    EXPECT(told.aborted, -EBUSY);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(finish(lock), 0);
    ck_assert_int_eq(told.times, 1);
    filelock_free(lock);
}
END_TEST

/* A holder that shares the thread is no deadlock: the thread can release while it waits. */
START_TEST(test_own_other_handle)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    BEGIN(lock, FILELOCK_FOREVER, -EINPROGRESS);
    EXPECT(filelock_release(other), 0);
    EXPECT(finish(lock), 0);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST

/* A process that ends with attempts under way leaves nothing behind. */
START_TEST(test_exit)
{
    const struct kind *kind = kind_at(_i);
    for (int granted = 0; granted < 2; granted++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        PEER_SAYS(peer, "-EINPROGRESS", "begin a exclusive -1");
        if (granted) {
            EXPECT(filelock_release(lock), 0);
            EVENTUALLY(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) == -ETIMEDOUT ||
                       (filelock_release(lock), 0));
        }
        ck_assert_int_eq(peer_end(peer), 0);
        if (granted)
            expect_free_soon(kind, scratch("lock"));
        filelock_free(lock);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("begin");
    TCase *tcase = add_case(suite, "begin");
    ADD_FOR_KINDS(tcase, test_arguments);
    ADD_FOR_KINDS(tcase, test_free_lock);
    ADD_FOR_KINDS(tcase, test_no_directory);
    ADD_FOR_KINDS(tcase, test_try);
    ADD_FOR_KINDS(tcase, test_recursion);
    ADD_FOR_KINDS(tcase, test_on_wait);
    tcase = add_case(suite, "ends");
    ADD_FOR_KINDS(tcase, test_granted);
    ADD_FOR_KINDS(tcase, test_killed_holder);
    ADD_FOR_KINDS(tcase, test_timeout);
    ADD_FOR_KINDS(tcase, test_cancel);
    ADD_FOR_KINDS(tcase, test_abort);
    ADD_FOR_KINDS(tcase, test_abort_after_grant);
    ADD_FOR_KINDS(tcase, test_abort_races);
    ADD_FOR_KINDS(tcase, test_free_aborts);
    ADD_FOR_KINDS(tcase, test_exit);
    tcase = add_case(suite, "meanwhile");
    ADD_FOR_KINDS(tcase, test_meanwhile);
    ADD_FOR_KINDS(tcase, test_break);
    ADD_FOR_KINDS(tcase, test_finished_by_another_thread);
    ADD_FOR_KINDS(tcase, test_held_by_another_thread);
    ADD_FOR_KINDS(tcase, test_any_thread);
    ADD_FOR_KINDS(tcase, test_any_thread_released_before_finish);
    ADD_FOR_KINDS(tcase, test_own_other_handle);
    ADD_FOR_KINDS(tcase, test_replaced);
    tcase = add_case(suite, "many");
    ADD_FOR_KINDS(tcase, test_modes);
    ADD_FOR_KINDS(tcase, test_one_file);
    ADD_FOR_KINDS(tcase, test_many_files);
    tcase_add_test(tcase, test_dead_owners);
    return suite;
}
