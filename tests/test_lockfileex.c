/* SPDX-License-Identifier: MIT
 *
 * test_lockfileex.c - a program that calls LockFileEx itself, with byte 0 and length 1, and the library exclude each
 * other.
 */
#include "peer.h"
#include "peers.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

static const struct kind *os_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_WIN32)
            return kind_at(i);
    ck_abort_msg("this build has no kind win32");
    return NULL;
}

/*
 * Starts foreign_lockfileex, which is built beside the suites: tests/test_lockfileex, or tests/.libs/test_lockfileex of
 * libtool.
 */
static struct peer *start_foreign(void)
{
    static char path[2048];
    const char *argv[] = { path, scratch("lock"), NULL };
    peer_directory(path, sizeof path);
    size_t length = strlen(path);
    strcat(path, "/foreign_lockfileex.exe");
    if (!path_exists(path))
        strcpy(path + length, "/../foreign_lockfileex.exe");
    ck_assert_msg(path_exists(path), "foreign_lockfileex is not where the suite is");
    return peer_start_program(argv);
}

START_TEST(test_it_holds)
{
    struct filelock *lock = new_lock(os_kind(), scratch("lock"), 0);
    struct peer *foreign = start_foreign();
    PEER_SAYS(foreign, "0", "lock exclusive 0 1");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    PEER_SAYS(foreign, "0", "unlock 0 1");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(foreign, "0", "lock shared 0 1");
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    filelock_free(lock);
}
END_TEST

START_TEST(test_we_hold)
{
    struct filelock *lock = new_lock(os_kind(), scratch("lock"), 0);
    struct peer *foreign = start_foreign();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(foreign, "held", "lock exclusive 0 1");
    PEER_SAYS(foreign, "held", "lock shared 0 1");
    PEER_SAYS(foreign, "held", "lock exclusive 0 100");
    PEER_SAYS(foreign, "0", "lock exclusive 1 100"); /* the lock is on byte 0, and no other */
    PEER_SAYS(foreign, "0", "unlock 1 100");
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    PEER_SAYS(foreign, "held", "lock exclusive 0 1");
    PEER_SAYS(foreign, "0", "lock shared 0 1");
    PEER_SAYS(foreign, "0", "unlock 0 1");
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(foreign, "0", "lock exclusive 0 1");
    filelock_free(lock);
}
END_TEST

/* Each waits for the other, in the kernel, and gets the lock when it is free. */
START_TEST(test_waits)
{
    struct filelock *lock = new_lock(os_kind(), scratch("lock"), 0);
    struct peer *foreign = start_foreign();
    struct caller caller;
    caller_start(&caller);
    for (int round = 0; round < 3; round++) {
        PEER_SAYS(foreign, "0", "lock exclusive 0 1");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, round ? PATIENCE_MS : FILELOCK_FOREVER);
        wait_for_sleep(&caller);
        ck_assert(still_calling(&caller));
        PEER_SAYS(foreign, "0", "unlock 0 1");
        EXPECT(end_call(&caller), 0);
        peer_send(foreign, "wait exclusive 0 1");
        nap_ms(20); /* the test notices less, but stays right */
        ck_assert(peer_silent(foreign));
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        PEER_ANSWERS(foreign, "0");
        PEER_SAYS(foreign, "0", "unlock 0 1");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_ranges)
{
    struct filelock_options options = options_of(os_kind());
    options.range_start = 10;
    options.range_length = 5;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    struct peer *foreign = start_foreign();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(foreign, "0", "lock exclusive 0 10");
    PEER_SAYS(foreign, "0", "lock exclusive 15 100");
    PEER_SAYS(foreign, "held", "lock exclusive 14 1");
    PEER_SAYS(foreign, "held", "lock shared 10 1");
    filelock_free(lock);
    PEER_SAYS(foreign, "0", "lock exclusive 10 5");
}
END_TEST

/* However the program ends, its lock goes. */
START_TEST(test_it_is_killed)
{
    struct filelock *lock = new_lock(os_kind(), scratch("lock"), 0);
    struct peer *foreign = start_foreign();
    PEER_SAYS(foreign, "0", "lock exclusive 0 1");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    peer_kill(foreign);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("lockfileex");
    TCase *tcase = add_case(suite, "lockfileex");
    tcase_add_test(tcase, test_it_holds);
    tcase_add_test(tcase, test_we_hold);
    tcase_add_test(tcase, test_waits);
    tcase_add_test(tcase, test_ranges);
    tcase_add_test(tcase, test_it_is_killed);
    return suite;
}
