/* SPDX-License-Identifier: MIT
 *
 * test_foreign.c - other programs and the library exclude each other: flock(1) of util-linux, Python's filelock, and
 * plain POSIX record locks.
 */
#include "peer.h"
#include "posix.h"

#include <stdio.h>
#include <stdlib.h>

/* Runs a program to its end, and returns its exit status.  What it says is not looked at. */
static int run(const char *const argv[])
{
    return peer_end(peer_start_program(argv));
}

static const struct kind *supported(int kind)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == kind)
            return kind_at(i);
    return NULL;
}

/* ---- flock(1) --------------------------------------------------------------------------------- */

/* Finds flock(1) of util-linux.  That of busybox can do less, and the library's own may be first in the path. */
static int find_flock(char *path, size_t size, int wants_fcntl)
{
    const char *argv[] = { path, "-w", "0.1", scratch("probe"), "true", NULL };
    const char *with_fcntl[] = { path, "--fcntl", scratch("probe"), "true", NULL };
    return find_program("flock", path, size) && run(wants_fcntl ? with_fcntl : argv) == 0;
}

/* Starts flock(1), which holds the lock until its child has read a line. */
static struct peer *flock_holding(const char *program, const char *mode)
{
    const char *argv[] = { program, mode, scratch("lock"), "sh", "-c", "echo held; read line", NULL };
    struct peer *peer = peer_start_program(argv);
    PEER_ANSWERS(peer, "held");
    return peer;
}

static int flock_tries(const char *program, const char *mode)
{
    const char *argv[] = { program, "-n", mode, scratch("lock"), "true", NULL };
    return run(argv);
}

START_TEST(test_flock_holds)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    char program[1024];
    if (!kind || !find_flock(program, sizeof program, 0))
        SKIP("wants kind flock and flock(1) of util-linux");
    struct peer *foreign = flock_holding(program, "-x");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, 20), -ETIMEDOUT);
    peer_send(foreign, "go");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    EXPECT(filelock_release(lock), 0);
    peer_end(foreign);
    foreign = flock_holding(program, "-s");
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    peer_send(foreign, "go");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_flock_waits)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    char program[1024];
    if (!kind || !find_flock(program, sizeof program, 0))
        SKIP("wants kind flock and flock(1) of util-linux");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(flock_tries(program, "-x"), 1);
    ck_assert_int_eq(flock_tries(program, "-s"), 1);
    const char *argv[] = { program, scratch("lock"), "echo", "held", NULL };
    struct peer *foreign = peer_start_program(argv);
    wait_for_queue(kind, scratch("lock"), 1);
    EXPECT(filelock_release(lock), 0);
    PEER_ANSWERS(foreign, "held");
    ck_assert_int_eq(peer_status(foreign), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    ck_assert_int_eq(flock_tries(program, "-s"), 0);
    ck_assert_int_eq(flock_tries(program, "-x"), 1);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(flock_tries(program, "-x"), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_flock_fcntl)
{
    const struct kind *kind = supported(FILELOCK_KIND_OFD);
    char program[1024];
    if (!kind || !find_flock(program, sizeof program, 1))
        SKIP("wants kind ofd and a flock(1) that has --fcntl");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    const char *try[] = { program, "--fcntl", "-n", scratch("lock"), "true", NULL };
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(run(try), 1);
    EXPECT(filelock_release(lock), 0);
    const char *hold[] = { program, "--fcntl", scratch("lock"), "sh", "-c", "echo held; read line", NULL };
    struct peer *foreign = peer_start_program(hold);
    PEER_ANSWERS(foreign, "held");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    peer_send(foreign, "go");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(lock);
}
END_TEST

/* The owner is the holder that /proc/locks names, even if that is another program. */
START_TEST(test_flock_is_named)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    char program[1024];
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    if (!kind || !find_flock(program, sizeof program, 0))
        SKIP("wants kind flock and flock(1) of util-linux");
    struct peer *foreign = flock_holding(program, "-x");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int result = filelock_owner(lock, &owner);
    filelock_free(lock);
    if (result == -ENOTSUP)
        SKIP("holders cannot be known here");
    EXPECT(result, 0);
    ck_assert_int_eq(owner.pid, peer_pid(foreign));
    ck_assert_str_eq(owner.command, "flock");
    ck_assert_int_eq(owner.alive, 1);
}
END_TEST

/* ---- Python's filelock ------------------------------------------------------------------------ */

/* Starts the first Python that has filelock.  A Python that was installed beside the system's may not have it. */
static struct peer *start_python(void)
{
    static const char *const names[] = { "/usr/bin/python3", "/usr/local/bin/python3", "python3" };
    const char *source = getenv("srcdir");
    char path[1024], script[2048];
    snprintf(script, sizeof script, "%s/tests/foreign_filelock.py", source ? source : ".");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s", names[i]);
        if (*path != '/' && !find_program(names[i], path, sizeof path))
            continue;
        const char *probe[] = { path, "-c", "import filelock", NULL };
        const char *argv[] = { path, script, scratch("lock"), NULL };
        if (access(path, X_OK) == 0 && run(probe) == 0)
            return peer_start_program(argv);
    }
    return NULL;
}

START_TEST(test_python)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    struct peer *python = kind ? start_python() : NULL;
    if (!python)
        SKIP("wants kind flock and a python3 that has filelock");
    PEER_ANSWERS(python, "ready");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    PEER_SAYS(python, "0", "acquire 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    peer_send(python, "release");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    PEER_ANSWERS(python, "0");
    PEER_SAYS(python, "timeout", "acquire 0");
    PEER_SAYS(python, "timeout", "acquire 0.1");
    peer_send(python, "acquire 60");
    EXPECT(filelock_release(lock), 0);
    PEER_ANSWERS(python, "0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(python, "0", "release");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* The library's record and the truncation of the file by Python's filelock do not get in each other's way. */
START_TEST(test_python_with_record)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    struct peer *python = kind ? start_python() : NULL;
    if (!python)
        SKIP("wants kind flock and a python3 that has filelock");
    PEER_ANSWERS(python, "ready");
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
    for (int i = 0; i < 3; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        PEER_SAYS(python, "timeout", "acquire 0");
        EXPECT(filelock_release(lock), 0);
        PEER_SAYS(python, "0", "acquire 0");
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        PEER_SAYS(python, "0", "release");
    }
    filelock_free(lock);
}
END_TEST

/* ---- fcntl() ---------------------------------------------------------------------------------- */

/*
 * Starts foreign_fcntl, which is built beside the suites: /tests/test_foreign, or /tests/.libs/test_foreign of libtool.
 */
static struct peer *start_fcntl(void)
{
    static char path[2048];
    const char *argv[PEER_WORDS];
    peer_directory(path, sizeof path);
    strcat(path, "/foreign_fcntl");
    if (access(path, X_OK) != 0) {
        peer_directory(path, sizeof path);
        strcat(path, "/../foreign_fcntl");
    }
    peer_command_line(argv, path, scratch("lock"), NULL);
    return access(path, X_OK) == 0 ? peer_start_program(argv) : NULL;
}

START_TEST(test_fcntl)
{
    const struct kind *kind = supported(FILELOCK_KIND_OFD);
    if (!kind)
        SKIP("wants kind ofd");
    struct peer *foreign = start_fcntl();
    ck_assert_msg(foreign != NULL, "foreign_fcntl is not where the suite is");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    PEER_SAYS(foreign, "0", "lock w 0 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, 20), -ETIMEDOUT);
    peer_send(foreign, "unlock");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    PEER_ANSWERS(foreign, "0");
    PEER_SAYS(foreign, "held", "lock w 0 0");
    PEER_SAYS(foreign, "held", "lock r 0 0");
    peer_send(foreign, "wait w 5 1");
    wait_for_queue(kind, scratch("lock"), 1);
    ck_assert(peer_silent(foreign));
    EXPECT(filelock_release(lock), 0);
    PEER_ANSWERS(foreign, "0");
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(foreign, "0", "lock r 0 0");
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_fcntl_ranges)
{
    const struct kind *kind = supported(FILELOCK_KIND_OFD);
    if (!kind)
        SKIP("wants kind ofd");
    struct peer *foreign = start_fcntl();
    ck_assert_msg(foreign != NULL, "foreign_fcntl is not where the suite is");
    struct filelock_options options = options_of(kind);
    options.range_start = 10;
    options.range_length = 5;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(foreign, "0", "lock w 0 10");
    PEER_SAYS(foreign, "0", "lock w 15 0");
    PEER_SAYS(foreign, "held", "lock w 14 1");
    PEER_SAYS(foreign, "held", "lock w 0 11");
    filelock_free(lock);
}
END_TEST

/* The owner of a POSIX lock is known, because /proc/locks has its pid. */
START_TEST(test_fcntl_is_named)
{
    const struct kind *kind = supported(FILELOCK_KIND_OFD);
    if (!kind)
        SKIP("wants kind ofd");
    struct peer *foreign = start_fcntl();
    ck_assert_msg(foreign != NULL, "foreign_fcntl is not where the suite is");
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    PEER_SAYS(foreign, "0", "lock w 0 0");
    int result = filelock_owner(lock, &owner);
    filelock_free(lock);
    if (result == -ENOTSUP)
        SKIP("holders cannot be known here");
    EXPECT(result, 0);
    ck_assert_int_eq(owner.pid, peer_pid(foreign));
}
END_TEST

/* ---- FILELOCK_UNLINK beside waiters that never look again ---------------------------------------- */

/*
 * True once the list of locks is short.  Other suites may have thousands of locks at this moment, and a release looks
 * at the first of them only.
 */
static int await_short_list(void)
{
    static char text[32768];
    int64_t end = now_ns() + (int64_t) PATIENCE_MS * 1000000;
    while (read_file("/proc/locks", text, sizeof text) >= (long) sizeof text - 1)
        if (now_ns() < end)
            nap_ms(10);
        else
            return 0;
    return 1;
}

/* True if a release leaves the file that a program waits for, or has locked in another way. */
static int is_left_for(struct filelock *lock, const char *path)
{
    uint64_t identity = file_identity(path);
    EXPECT(filelock_release(lock), 0);
    return path_exists(path) && file_identity(path) == identity;
}

START_TEST(test_unlink_beside_waiter)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    const char *path = scratch("lock");
    char program[1024];
    const char *const argv[] = { program, path, "echo", "got", NULL };
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    if (!kind || !find_flock(program, sizeof program, 0))
        SKIP("wants kind flock and flock(1) of util-linux");
    struct filelock *lock = new_lock(kind, path, FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    if (filelock_owner(lock, &owner) != 0)
        SKIP("locks are not listed here");
    struct peer *foreign = peer_start_program(argv);
    wait_for_queue(kind, path, 1);
    if (!await_short_list())
        SKIP("the system has too many locks");
    ck_assert_msg(is_left_for(lock, path), "it was removed from under a waiter");
    PEER_ANSWERS(foreign, "got");
    peer_end(foreign);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_msg(!is_left_for(lock, path), "it was not removed after that");
    filelock_free(lock);
}
END_TEST

START_TEST(test_unlink_beside_holder)
{
    const struct kind *kind = supported(FILELOCK_KIND_FLOCK);
    struct peer *foreign = start_fcntl();
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    if (!kind || !foreign)
        SKIP("wants kind flock and foreign_fcntl");
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    if (filelock_owner(lock, &owner) != 0)
        SKIP("locks are not listed here");
    PEER_SAYS(foreign, "0", "lock w 5 1");
    if (!await_short_list())
        SKIP("the system has too many locks");
    ck_assert_msg(is_left_for(lock, scratch("lock")), "it was removed from under a holder");
    PEER_SAYS(foreign, "0", "unlock");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_msg(!is_left_for(lock, scratch("lock")), "it was not removed after that");
    filelock_free(lock);
}
END_TEST

/* flock and fcntl locks do not see each other on a local file system: kinds are protocols. */
START_TEST(test_kinds_are_apart)
{
    const struct kind *flock = supported(FILELOCK_KIND_FLOCK), *ofd = supported(FILELOCK_KIND_OFD);
    if (!flock || !ofd)
        SKIP("wants kinds flock and ofd");
    struct filelock *one = new_lock(flock, scratch("lock"), 0), *other = new_lock(ofd, scratch("lock"), 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int result = filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(one);
    filelock_free(other);
    if (result == -ETIMEDOUT)
        SKIP("this file system, like NFS, makes both kinds the same");
    EXPECT(result, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("foreign");
    TCase *tcase = add_case(suite, "flock(1)");
    tcase_add_test(tcase, test_flock_holds);
    tcase_add_test(tcase, test_flock_waits);
    tcase_add_test(tcase, test_flock_fcntl);
    tcase_add_test(tcase, test_flock_is_named);
    tcase = add_case(suite, "python");
    tcase_add_test(tcase, test_python);
    tcase_add_test(tcase, test_python_with_record);
    tcase = add_case(suite, "fcntl");
    tcase_add_test(tcase, test_fcntl);
    tcase_add_test(tcase, test_fcntl_ranges);
    tcase_add_test(tcase, test_fcntl_is_named);
    tcase_add_test(tcase, test_kinds_are_apart);
    tcase = add_case(suite, "unlink");
    tcase_add_test(tcase, test_unlink_beside_waiter);
    tcase_add_test(tcase, test_unlink_beside_holder);
    return suite;
}
