/* SPDX-License-Identifier: MIT
 *
 * test_soft_sharing.c - soft locks that several processes share by fork: the marker names one who holds it
 * until the last has left.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "storm.h"
#include "syscalls_linux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct peer *holding(unsigned flags)
{
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), FILELOCK_FORK_SHARE | flags);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

static void expect_named(const struct peer *peer)
{
    expect_contents(scratch("lock"), marker_record(peer_pid(peer)));
    expect_nothing_beside(scratch("lock"));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
}

/* ---- One after the other ------------------------------------------------------------------------- */

/* A child that leaves names its brother, where the parent lives but holds nothing any more; and the other way round. */
START_TEST(test_siblings)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *first = peer_fork(parent, NULL), *second = peer_fork(parent, NULL);
    expect_named(second);
    PEER_SAYS(parent, "0", "release a");
    expect_named(second);
    PEER_SAYS(second, "0", "release a");
    expect_named(first);
    PEER_SAYS(second, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(first, "0", "release a");
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    expect_named(parent);
}
END_TEST

/* The child that the marker named was killed: whoever leaves next repairs that. */
START_TEST(test_named_one_killed)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *first = peer_fork(parent, NULL), *second = peer_fork(parent, NULL), *third = peer_fork(first, NULL);
    expect_named(third);
    peer_kill(third);
    PEER_SAYS(second, "0", "release a");
    expect_named(parent);
    PEER_SAYS(parent, "0", "release a");
    expect_named(first);
    PEER_SAYS(first, "0", "release a");
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* A program that was executed without the marker holds nothing, though its process lives. */
START_TEST(test_program)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *child = peer_fork(parent, NULL), *program = peer_fork(parent, NULL);
    PEER_SAYS(program, "again", "exec");
    PEER_SAYS(child, "0", "release a");
    expect_named(parent);
    PEER_SAYS(parent, "0", "release a");
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(program, "pong", "ping");
}
END_TEST

/* One that has inherited the marker holds the lock as long as it lives. */
START_TEST(test_program_that_keeps)
{
    NEEDS_SOFT();
    struct peer *parent = holding(FILELOCK_KEEP_ON_EXEC);
    struct peer *program = peer_fork(parent, NULL), *child = peer_fork(parent, NULL);
    PEER_SAYS(program, "again", "exec");
    PEER_SAYS(parent, "0", "release a");
    expect_named(child);
    PEER_SAYS(child, "0", "release a");
    expect_named(program);
    peer_kill(program);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* The directory was renamed: nobody takes for held what the last one leaves there. */
START_TEST(test_directory_renamed)
{
    NEEDS_SOFT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct peer *parent = peer_with(soft_kind(), scratch("folder/lock"), FILELOCK_FORK_SHARE);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    struct peer *child = peer_fork(parent, NULL);
    ck_assert_int_eq(rename_over(scratch("folder"), scratch("moved")), 0);
    PEER_SAYS(child, "0", "release a");
    expect_contents(scratch("moved/lock"), marker_record(peer_pid(parent)));
    EXPECT(try_soft(scratch("moved/lock"), FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(parent, "0", "release a");
    EXPECT(try_soft(scratch("moved/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("moved/lock"));
}
END_TEST

/* The last one may not remove the marker any more. */
START_TEST(test_unremovable)
{
    NEEDS_SOFT();
    AS_ORDINARY_USER();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct peer *parent = peer_with(soft_kind(), scratch("folder/lock"), FILELOCK_FORK_SHARE);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    struct peer *child = peer_fork(parent, NULL);
    ck_assert_int_eq(chmod(scratch("folder"), 0555), 0);
    PEER_SAYS(child, "0", "release a");
    expect_contents(scratch("folder/lock"), marker_record(peer_pid(parent)));
    PEER_SAYS(parent, "0", "release a");
    expect_contents(scratch("folder/lock"), "");
    ck_assert_int_eq(chmod(scratch("folder"), 0755), 0);
    EXPECT(try_soft(scratch("folder/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("folder/lock"));
}
END_TEST

/* ---- At once ------------------------------------------------------------------------------------- */

#define CHILDREN 3

struct scene {
    struct filelock *lock;
    int go[2], settled[2]; /* pipes: they leave; who stays looks */
    int stays;             /* an index; CHILDREN: the parent; -1: nobody */
};

static void await_end(int from)
{
    char byte;
    while (read(from, &byte, 1) > 0)
        ;
}

static int names_self(void)
{
    char text[MARKER_SIZE], number[24];
    snprintf(number, sizeof number, "%lld\n", (long long)own_pid());
    return read_file(scratch("lock"), text, sizeof text) > 0 && !strncmp(text, number, strlen(number));
}

/* What a child is to be blamed for, as its exit status; nothing of Check here. */
static void live(const struct scene *scene, int index)
{
    int status = 0;
    close(scene->go[1]);
    close(scene->settled[1]);
    await_end(scene->go[0]);
    if (index == scene->stays) {
        await_end(scene->settled[0]);
        status = !names_self() ? 1 : filelock_check(scene->lock) != 0 ? 2 : 0;
    }
    _exit(filelock_release(scene->lock) != 0 ? 3 : status);
}

static void expect_status(pid_t pid, int index)
{
    int status = process_wait(&(struct process){pid, -1, -1}, PATIENCE_MS);
    ck_assert_msg(status == 0, "child %d ends with %d", index, status);
}

static void leave_at_once(struct scene *scene)
{
    pid_t pids[CHILDREN];
    ck_assert(pipe(scene->go) == 0 && pipe(scene->settled) == 0);
    EXPECT(filelock_acquire(scene->lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            live(scene, i);
    }
    close(scene->go[0]);
    close(scene->settled[0]);
    close(scene->go[1]);
    if (scene->stays != CHILDREN)
        EXPECT(filelock_release(scene->lock), 0);
    for (int i = 0; i < CHILDREN; i++)
        if (i != scene->stays)
            expect_status(pids[i], i);
    if (scene->stays == CHILDREN) {
        ck_assert_msg(names_self(), "it names another than the parent, who holds it");
        EXPECT(filelock_release(scene->lock), 0);
    }
    close(scene->settled[1]);
    if (scene->stays >= 0 && scene->stays < CHILDREN)
        expect_status(pids[scene->stays], scene->stays);
    expect_nothing_at(scratch("lock"));
}

static void leave_in_turns(int rounds)
{
    struct scene scene = {.lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE)};
    for (int round = 0; round < rounds; round++) {
        scene.stays = round % (CHILDREN + 2) - 1;
        leave_at_once(&scene);
    }
    filelock_free(scene.lock);
}

START_TEST(test_all_but_one_leave)
{
    NEEDS_SOFT();
    leave_in_turns(scaled(200, 10));
}
END_TEST

/* ---- Where less is to be had ------------------------------------------------------------------- */

#define ON_SYSTEM(lacks)                                                                           \
    do {                                                                                           \
        NEEDS_SOFT();                                                                              \
        if (under_valgrind() || impoverish(lacks) != 0)                                            \
            SKIP("system calls cannot be denied here");                                            \
    } while (0)

/* Without flock(2) who is last is known from who has the marker open. */
START_TEST(test_without_locks)
{
    ON_SYSTEM(NO_LOCKS);
    for (int first = 0; first < 2; first++) {
        struct peer *parent = holding(0), *child = peer_fork(parent, NULL);
        struct peer *leaves = first ? child : parent, *stays = first ? parent : child;
        PEER_SAYS(leaves, "0", "release a");
        expect_named(stays);
        PEER_SAYS(stays, "0", "check a");
        PEER_SAYS(stays, "0", "release a");
        expect_nothing_at(scratch("lock"));
        PEER_SAYS(leaves, "pong", "ping");
        peer_end(parent);
    }
}
END_TEST

START_TEST(test_without_locks_at_once)
{
    ON_SYSTEM(NO_LOCKS);
    leave_in_turns(scaled(50, 10));
}
END_TEST

/* A child of the test that shares the lock until `end` is closed. */
static pid_t fork_sharer(struct filelock *lock, int *end)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[1]);
        await_end(ends[0]);
        _exit(filelock_release(lock) != 0);
    }
    close(ends[0]);
    *end = ends[1];
    return pid;
}

/*
 * Whether others hold it cannot be seen without a descriptor.  A release says so, and can be repeated; what is freed
 * all the same leaves the others their lock.
 */
START_TEST(test_no_descriptors)
{
    NEEDS_SOFT();
    struct rlimit limit, none;
    int end;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    for (int frees = 0; frees < 2; frees++) {
        struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        uint64_t identity = file_identity(scratch("lock"));
        pid_t child = fork_sharer(lock, &end);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        int result = filelock_release(lock);
        int held = filelock_held(lock), fd = filelock_fd(lock);
        if (frees)
            filelock_free(lock);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        EXPECT(result, -EMFILE);
        ck_assert(held && fd >= 0);
        if (!frees) {
            EXPECT(filelock_check(lock), 0);
            EXPECT(filelock_release(lock), 0);
            expect_contents(scratch("lock"), marker_record(child));
            filelock_free(lock);
        }
        ck_assert_int_eq(descriptors_on(scratch("lock")), 0);
        ck_assert_msg(file_identity(scratch("lock")) == identity, "the child's marker is gone");
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
        close(end);
        expect_status(child, 0);
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/* A child that has given up its privileges does not see what its parent has open, and trusts it. */
START_TEST(test_unseen_parent)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    open_scratch();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        become_nobody();
        _exit(filelock_release(lock) != 0);
    }
    expect_status(pid, 0);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, shared by fork");
    TCase *tcase = add_case(suite, "one after the other");
    tcase_add_test(tcase, test_siblings);
    tcase_add_test(tcase, test_named_one_killed);
    tcase_add_test(tcase, test_program);
    tcase_add_test(tcase, test_program_that_keeps);
    tcase_add_test(tcase, test_directory_renamed);
    tcase_add_test(tcase, test_unremovable);
    tcase = add_case(suite, "at once");
    tcase_add_test(tcase, test_all_but_one_leave);
    tcase = add_case(suite, "where less is to be had");
    tcase_add_test(tcase, test_without_locks);
    tcase_add_test(tcase, test_without_locks_at_once);
    tcase_add_test(tcase, test_no_descriptors);
    tcase_add_test(tcase, test_unseen_parent);
    return suite;
}
