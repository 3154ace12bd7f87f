/* SPDX-License-Identifier: MIT
 *
 * test_descriptor.c - locks on descriptors that the caller opened.
 */
#include "peers.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

static struct filelock *lock_on(const struct kind *kind, int fd)
{
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    return lock;
}

START_TEST(test_from_fd)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    const char *path = scratch("lock");
    int fd = open_fd(path);
    struct peer *peer = peer_with(kind, path, 0);
    struct filelock *lock = lock_on(kind, fd);
    ck_assert_ptr_null(filelock_path(lock));
    ck_assert_int_eq(filelock_kind(lock), kind->kind);
    ck_assert_int_eq(filelock_fd(lock), -1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_fd(lock), kind->can & CAN_TELL_FD ? fd : -1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_check(lock), 0);
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    EXPECT(filelock_release_all(lock), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock); /* releases, and leaves the descriptor open and as it was */
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    ck_assert_int_eq(fd_is_open(fd), 1);
    close_fd(fd);
}
END_TEST

START_TEST(test_from_fd_refused)
{
    static const unsigned about_paths[] = { FILELOCK_UNLINK, FILELOCK_MAKE_PARENTS, FILELOCK_FOLLOW_SYMLINK,
                                            FILELOCK_KEEP_ON_EXEC };
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock"));
    if (!(kind->can & CAN_FD)) {
        EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
        close_fd(fd);
        return;
    }
    EXPECT(filelock_new_from_fd(NULL, fd, &options), -EINVAL);
    for (size_t i = 0; i < sizeof about_paths / sizeof *about_paths; i++) {
        options.flags = about_paths[i];
        EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
    }
    options = options_of(kind);
    options.file_mode = 0600;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
    options = options_of(kind);
    options.flags = 0x8000;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
    options.flags = 0;
    options.kind = 77;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
    close_fd(fd);
    options = options_of(kind);
    EXPECT(filelock_new_from_fd(&lock, fd, &options), -EBADF);
    EXPECT(filelock_new_from_fd(&lock, -1, &options), -EBADF);
    EXPECT(filelock_new_from_fd(&lock, 100000, &options), -EBADF);
    ck_assert_ptr_null(lock);
}
END_TEST

START_TEST(test_from_fd_default_options)
{
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock"));
    EXPECT(filelock_new_from_fd(&lock, fd, NULL), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_held(lock), 1);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

START_TEST(test_from_fd_other_flags)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock"));
    options.flags = FILELOCK_ANY_THREAD | FILELOCK_INTERRUPTIBLE | FILELOCK_RECORD_OWNER | FILELOCK_FORK_SHARE;
    options.timeout_ms = 30;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT), 0);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

START_TEST(test_from_fd_words)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    char text[256], wanted[64];
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    int fd = open_fd(scratch("lock"));
    struct filelock *lock = lock_on(kind, fd);
    int result = filelock_owner(lock, &owner);
    ck_assert_msg(result == -ENOENT || result == -ENOTSUP, "%s", result_name(result));
    EXPECT(filelock_release(lock), -EPERM);
    filelock_describe(lock, -EPERM, text, sizeof text);
    snprintf(wanted, sizeof wanted, "cannot release descriptor %d: ", fd);
    ck_assert_msg(!strncmp(text, wanted, strlen(wanted)), "%s", text);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

/* Two handles have one descriptor, and so one lock.  A wait that ends in vain leaves what the other handle holds. */
START_TEST(test_from_fd_twice)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD | CAN_CONVERT_UP); /* else the wait itself gives up the shared lock */
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL, *other = NULL;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    int fd = open_fd(scratch("lock"));
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    EXPECT(filelock_new_from_fd(&other, fd, &options), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    PEER_SAYS(peer, "0", "acquire a shared 0");
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, 30), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    EXPECT(filelock_release(lock), 0);
    filelock_free(other);
    filelock_free(lock);
    close_fd(fd);
}
END_TEST

/* If the descriptor was closed without the library, the next acquire fails, and does not lock another file. */
START_TEST(test_from_fd_closed)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    int fd = open_fd(scratch("lock"));
    struct filelock *lock = lock_on(kind, fd);
    close_fd(fd);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EBADF);
    ck_assert_int_eq(filelock_held(lock), 0);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("descriptor");
    TCase *tcase = add_case(suite, "from fd");
    ADD_FOR_KINDS(tcase, test_from_fd);
    ADD_FOR_KINDS(tcase, test_from_fd_refused);
    tcase_add_test(tcase, test_from_fd_default_options);
    ADD_FOR_KINDS(tcase, test_from_fd_other_flags);
    ADD_FOR_KINDS(tcase, test_from_fd_words);
    ADD_FOR_KINDS(tcase, test_from_fd_twice);
    ADD_FOR_KINDS(tcase, test_from_fd_closed);
    return suite;
}
