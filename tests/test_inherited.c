/* SPDX-License-Identifier: MIT
 *
 * test_inherited.c - descriptors as only POSIX has them: copies, unlocks that fail, locks across exec.
 */
#include "posix.h"

#include <stdio.h>

static struct filelock *lock_on(const struct kind *kind, int fd)
{
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    return lock;
}

/* The descriptor's flags stay as the caller has set them. */
START_TEST(test_flags_stay)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock"));
    int flags = fcntl(fd, F_GETFD), status = fcntl(fd, F_GETFL);
    struct filelock *lock = lock_on(kind, fd);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    ck_assert_int_eq(fcntl(fd, F_GETFD), flags);
    ck_assert_int_eq(fcntl(fd, F_GETFL), status);
    close(fd);
}
END_TEST

/* An open file description has only one lock, however many descriptors and handles use it. */
START_TEST(test_copies_of_a_descriptor)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock")), copy = dup(fd);
    struct filelock *one = lock_on(kind, fd), *other = lock_on(kind, copy);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_taken(kind, scratch("lock"));
    EXPECT(filelock_release(one), 0);
    expect_free(kind, scratch("lock"));
    filelock_free(one);
    filelock_free(other);
    close(fd);
    close(copy);
}
END_TEST

/* A lock of a descriptor has no path that could be lost. */
START_TEST(test_from_fd_deleted)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock"));
    remove_file(scratch("lock"));
    struct filelock *lock = lock_on(kind, fd);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    close(fd);
}
END_TEST

START_TEST(test_from_read_only_fd)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    close(open_fd(scratch("lock")));
    int fd = open(scratch("lock"), O_RDONLY | O_CLOEXEC);
    struct filelock *lock = lock_on(kind, fd);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), kind->can & CAN_READ_ONLY ? 0 : -EBADF);
    filelock_free(lock);
    close(fd);
}
END_TEST

/* ---- Unlocks that fail ------------------------------------------------------------------------ */

static void lose_and_restore(const struct kind *kind, struct filelock *lock, int fd, int all)
{
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    ck_assert_int_ge(kept, 100);
    close(fd);
    EXPECT(all ? filelock_release_all(lock) : filelock_release(lock), -EBADF);
    ck_assert_int_eq(filelock_held(lock), 1);
    ck_assert_uint_eq(filelock_depth(lock), all ? 2 : 1);
    EXPECT(filelock_release(lock), all ? 0 : -EBADF); /* an inner level needs no system call */
    ck_assert_uint_eq(filelock_depth(lock), 1);
    expect_taken(kind, scratch("lock"));
    ck_assert_int_eq(dup2(kept, fd), fd);
    close(kept);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(filelock_held(lock), 0);
    expect_free(kind, scratch("lock"));
}

START_TEST(test_failed_unlock)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int all = 0; all < 2; all++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        for (int depth = 0; depth <= all; depth++)
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        lose_and_restore(kind, lock, filelock_fd(lock), all);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        filelock_free(lock);
    }
}
END_TEST

START_TEST(test_failed_unlock_of_descriptor)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock"));
    struct filelock *lock = lock_on(kind, fd);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    lose_and_restore(kind, lock, fd, 0);
    filelock_free(lock);
    close(fd);
}
END_TEST

/* filelock_with() returns the error of the release too, if the body returns 0. */
static int close_it(void *arg)
{
    return close(*(int *) arg);
}

START_TEST(test_failed_unlock_in_with)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock")), kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    struct filelock *lock = lock_on(kind, fd);
    EXPECT(filelock_with(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY, close_it, &fd), -EBADF);
    ck_assert_int_eq(filelock_held(lock), 1);
    ck_assert_int_eq(dup2(kept, fd), fd);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    close(fd);
    close(kept);
}
END_TEST

/* A release that failed does not let in another thread that waits for the handle. */
START_TEST(test_failed_unlock_with_waiter)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int fd = filelock_fd(lock), kept = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    close(fd);
    EXPECT(filelock_release(lock), -EBADF);
    ck_assert(still_calling(&caller));
    ck_assert_int_eq(dup2(kept, fd), fd);
    close(kept);
    EXPECT(filelock_release(lock), 0);
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* ---- Exec ------------------------------------------------------------------------------------- */

START_TEST(test_exec)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int keep = 0; keep < 2; keep++) {
        struct peer *peer = peer_with(kind, scratch("lock"), keep ? FILELOCK_KEEP_ON_EXEC : 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        PEER_SAYS(peer, keep ? "1" : "0", "spawned %s", scratch("lock"));
        PEER_SAYS(peer, "again", "exec");
        PEER_SAYS(peer, keep ? "1" : "0", "descriptors %s", scratch("lock"));
        if (keep)
            expect_taken(kind, scratch("lock"));
        else
            expect_free(kind, scratch("lock"));
        peer_end(peer);
        expect_free_soon(kind, scratch("lock"));
    }
}
END_TEST

/* A handle at rest has no descriptor to pass on. */
START_TEST(test_exec_at_rest)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int keep = 0; keep < 2; keep++) {
        struct peer *peer = peer_with(kind, scratch("lock"), keep ? FILELOCK_KEEP_ON_EXEC : 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        PEER_SAYS(peer, "0", "release a");
        PEER_SAYS(peer, "0", "spawned %s", scratch("lock"));
        peer_end(peer);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("inherited");
    TCase *tcase = add_case(suite, "from fd");
    ADD_FOR_KINDS(tcase, test_flags_stay);
    ADD_FOR_KINDS(tcase, test_copies_of_a_descriptor);
    ADD_FOR_KINDS(tcase, test_from_fd_deleted);
    ADD_FOR_KINDS(tcase, test_from_read_only_fd);
    tcase = add_case(suite, "failed unlock");
    ADD_FOR_KINDS(tcase, test_failed_unlock);
    ADD_FOR_KINDS(tcase, test_failed_unlock_of_descriptor);
    ADD_FOR_KINDS(tcase, test_failed_unlock_in_with);
    ADD_FOR_KINDS(tcase, test_failed_unlock_with_waiter);
    tcase = add_case(suite, "exec");
    ADD_FOR_KINDS(tcase, test_exec);
    ADD_FOR_KINDS(tcase, test_exec_at_rest);
    return suite;
}
