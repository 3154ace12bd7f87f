/* SPDX-License-Identifier: MIT
 *
 * test_soft_files.c - what only POSIX can put in a soft lock's place, or do to a marker.  These are links, FIFOs,
 * permissions, and operating-system locks that do not keep other processes from removing it.
 */
#include "markers.h"
#include "posix.h"

#include <stdio.h>
#include <sys/file.h>

/* ---- Markers that stay unchanged --------------------------------------------------------------- */

/* Markers that must stay.  The test makes them. */
static const struct patient patients[] = {
    { "fifo", NULL, 0, 0 },
    { "locked", NULL, 0, 0 },
    { "written", NULL, 0, 0 },
};

#define PATIENTS ((int) (sizeof patients / sizeof *patients))

/* Starts a program that has the file open.  If it opens the file for writing, it makes it. */
static struct peer *opened(const char *name, const char *direction)
{
    char script[64];
    const char *argv[] = { "/bin/sh", "-c", script, patient_path(name), NULL };
    snprintf(script, sizeof script, "exec 3%s\"$0\"; echo open; read line", direction);
    struct peer *peer = peer_start_program(argv);
    PEER_ANSWERS(peer, "open");
    return peer;
}

/* Makes these markers, and starts the program that writes.  Returns a descriptor that has a marker locked, or -1. */
static int make_patients(struct peer **writer)
{
    ck_assert_int_eq(mkfifo(patient_path("fifo"), 0666), 0);
    *writer = opened("written", ">");
    put_patient("locked", "");
    int fd = open(patient_path("locked"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    return fd;
}

START_TEST(test_patience)
{
    NEEDS_SOFT();
    static struct waiter waiters[PATIENTS];
    struct peer *writer;
    int fd = make_patients(&writer);
    for (int i = 0; i < PATIENTS; i++)
        begin_patient(&waiters[i], &patients[i]);
    for (int i = 0; i < PATIENTS; i++)
        end_patient(&waiters[i], &patients[i]);
    peer_kill(writer);
    if (sees_all_openers()) {
        EXPECT(try_soft(patient_path("written"), FILELOCK_TRY), 0);
        expect_nothing_at(patient_path("written"));
    }
    close_fd(fd);
}
END_TEST

/* A process that only reads does not count as the holder. */
START_TEST(test_reader)
{
    NEEDS_SOFT();
    if (!sees_all_openers())
        SKIP("wants to see the open files of all processes");
    put_patient("read", "");
    opened("read", "<");
    EXPECT(try_soft(patient_path("read"), FILELOCK_TRY), 0);
    expect_nothing_at(patient_path("read"));
}
END_TEST

/* ---- An operating-system lock on a marker ------------------------------------------------------- */

START_TEST(test_locked_marker)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    fill_marker("%2\n%3\n", text);
    put_marker(scratch("lock"), text);
    int fd = open_fd(scratch("lock"));
    if (flock(fd, LOCK_EX) != 0) {
        close_fd(fd);
        SKIP("this file system has no locks");
    }
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 200), -ETIMEDOUT);
    expect_contents(scratch("lock"), text);
    expect_nothing_beside(scratch("lock"));
    static struct caller caller;
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    close_fd(fd);
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Files that are not regular ----------------------------------------------------------------- */

START_TEST(test_link)
{
    NEEDS_SOFT();
    put_marker(scratch("target"), marker_record(dead_pid()));
    ck_assert_int_eq(symlink("target", scratch("lock")), 0);
    for (int dangling = 0; dangling < 2; dangling++) {
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ELOOP);
        EXPECT(try_soft(scratch("lock"), FILELOCK_FOREVER), -ELOOP);
        ck_assert(path_exists(scratch("lock")));
        remove_file(scratch("target"));
    }
    ck_assert(!path_exists(scratch("target")));
}
END_TEST

START_TEST(test_followed_link)
{
    NEEDS_SOFT();
    struct stat status;
    ck_assert_int_eq(make_directory(scratch("elsewhere")), 0);
    ck_assert_int_eq(symlink("elsewhere/target", scratch("lock")), 0);
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FOLLOW_SYMLINK);
    for (int made_by_others = 0; made_by_others < 2; made_by_others++) {
        if (made_by_others)
            put_marker(scratch("elsewhere/target"), marker_record(dead_pid()));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        expect_contents(scratch("elsewhere/target"), marker_record(own_pid()));
        expect_nothing_beside(scratch("elsewhere/target"));
        EXPECT(try_soft(scratch("elsewhere/target"), FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("elsewhere/target"));
        ck_assert_int_eq(lstat(scratch("lock"), &status), 0);
        ck_assert(S_ISLNK(status.st_mode));
    }
    put_marker(scratch("elsewhere/target"), "1\nanother.host\n");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_break(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("elsewhere/target"));
}
END_TEST

START_TEST(test_fifo)
{
    NEEDS_SOFT();
    ck_assert_int_eq(mkfifo(scratch("lock"), 0666), 0);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    struct filelock_owner owner = { .size = sizeof owner };
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, 0);
    ck_assert_int_eq(owner.alive, -1);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    EXPECT_TOOK(start, 20);
    ck_assert(path_exists(scratch("lock")));
    filelock_free(lock);
}
END_TEST

/* ---- Permissions -------------------------------------------------------------------------------- */

/* A marker that may not be read counts as held. */
START_TEST(test_forbidden)
{
    NEEDS_SOFT();
    AS_ORDINARY_USER();
    make_file(scratch("lock"), 0, "");
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    ck_assert(path_exists(scratch("lock")));
}
END_TEST

START_TEST(test_file_mode)
{
    NEEDS_SOFT();
    static const unsigned modes[] = { 0600, 0640, 0664, 0666, 0444, 0400 };
    umask(077);
    struct filelock_options options = options_of(soft_kind());
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (int takeover = 0; takeover < 2; takeover++) {
            options.file_mode = modes[i];
            if (takeover)
                put_marker(scratch("lock"), marker_record(dead_pid()));
            struct filelock *lock = new_lock_with(&options, scratch("lock"));
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
            ck_assert_uint_eq(mode_of(scratch("lock")), modes[i]);
            filelock_free(lock);
            expect_nothing_at(scratch("lock"));
        }
    umask(027);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_uint_eq(mode_of(scratch("lock")), 0640);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft files");
    TCase *tcase = add_case(suite, "files");
    tcase_add_test(tcase, test_patience);
    tcase_add_test(tcase, test_reader);
    tcase_add_test(tcase, test_locked_marker);
    tcase_add_test(tcase, test_link);
    tcase_add_test(tcase, test_followed_link);
    tcase_add_test(tcase, test_fifo);
    tcase_add_test(tcase, test_forbidden);
    tcase_add_test(tcase, test_file_mode);
    return suite;
}
