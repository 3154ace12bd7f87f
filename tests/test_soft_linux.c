/* SPDX-License-Identifier: MIT
 *
 * test_soft_linux.c - soft locks where the system has less to offer, or keeps failing; and in namespaces.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "storm.h"
#include "syscalls_linux.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* ---- Poor systems ------------------------------------------------------------------------------- */

static const struct system {
    const char *name;
    unsigned lacks;
} systems[] = {
    {"all there is", 0},
    {"no unnamed files", NO_UNNAMED},
    {"no hard links", NO_UNNAMED | NO_LINKS},
    {"no locks", NO_LOCKS},
    {"no swapping", NO_SWAP},
    {"no unnamed files, no swapping", NO_UNNAMED | NO_SWAP},
    {"no watches", NO_WATCH},
    {"no pidfd", NO_PIDFD},
    {"no watches, no pidfd", NO_WATCH | NO_PIDFD},
    {"nothing", NO_UNNAMED | NO_LINKS | NO_LOCKS | NO_SWAP | NO_WATCH | NO_PIDFD},
};

START_TEST(test_system)
{
    ON_SYSTEM(systems[_i].lacks);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    for (int stale = 0; stale < 2; stale++) {
        if (stale)
            put_marker(scratch("lock"), marker_record(dead_pid()));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        expect_nothing_beside(scratch("lock"));
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("lock"));
    }
    filelock_free(lock);
}
END_TEST

static void hand_over(int killing)
{
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    for (int i = 0; i < 3; i++) {
        struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, i ? FILELOCK_FOREVER : PATIENCE_MS);
        wait_for_sleep(&caller);
        int64_t start = now_ns();
        if (killing)
            process_kill(&(struct process){peer_pid(peer), -1, -1});
        else
            peer_send(peer, "release a");
        EXPECT(end_call(&caller), 0);
        ck_assert_int_lt((now_ns() - start) / 1000000, LATENESS_MS);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        expect_nothing_at(scratch("lock"));
        peer_kill(peer);
    }
    caller_end(&caller);
    filelock_free(lock);
}

START_TEST(test_system_waits)
{
    ON_SYSTEM(systems[_i].lacks);
    hand_over(0);
    hand_over(1);
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    int64_t used = INT64_MAX; /* at the best of three: an emulator is busy by itself now and then */
    for (int tries = 0; tries < 3 && used >= 25000000; tries++) {
        int64_t before = processor_ns();
        EXPECT(try_soft(scratch("lock"), 250), -ETIMEDOUT);
        used = processor_ns() - before;
    }
    ck_assert_msg(used < 25000000, "%d us of processor time", (int)(used / 1000));
}
END_TEST

/* Where a marker is made in place its maker may die before it has written: that is two seconds each. */
START_TEST(test_system_storm)
{
    const struct system *system = &systems[_i];
    ON_SYSTEM(system->lacks);
    struct storm storm = {scratch("lock"), 6, scaled(system->lacks & NO_LINKS ? 10 : 100, 5), 0, NULL};
    storm_run(&storm);
    if (system->lacks & (NO_LOCKS | NO_SWAP)) /* what the last one left goes when the next one is taken over from */
        put_marker(scratch("lock"), marker_record(dead_pid()));
    expect_usable(scratch("lock"));
}
END_TEST

/* ---- What is kept for the next wait ------------------------------------------------------------- */

/* The instances of inotify(7) that this process has. */
static int instances(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    char link[64];
    int count = 0;
    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory))) {
        ssize_t size = readlinkat(dirfd(directory), entry->d_name, link, sizeof link - 1);
        link[size > 0 ? size : 0] = '\0';
        count += !strcmp(link, "anon_inode:inotify");
    }
    closedir(directory);
    return count;
}

static int instances_of_child(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(instances());
    return process_wait(&(struct process){child, -1, -1}, PATIENCE_MS);
}

/* Waits share one, a child has none of it, and the last handle gives it back. */
START_TEST(test_one_instance)
{
    NEEDS_SOFT();
    struct filelock *first = new_soft(scratch("lock"), 0), *second = new_soft(scratch("lock"), 0);
    put_marker(scratch("lock"), marker_record(own_pid()));
    for (int i = 0; i < 5; i++) {
        EXPECT(filelock_acquire(i % 2 ? first : second, FILELOCK_EXCLUSIVE, 2), -ETIMEDOUT);
        ck_assert_int_le(instances(), 1);
        EXPECT(instances_of_child(), 0);
    }
    filelock_free(first);
    filelock_free(second);
    ck_assert_int_eq(instances(), 0);
}
END_TEST

/* A user has few of them: nobody keeps one that waits no more. */
START_TEST(test_instance_does_not_stay)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    put_marker(scratch("lock"), marker_record(own_pid()));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 2), -ETIMEDOUT);
    EVENTUALLY(instances() == 0);
    filelock_free(lock);
}
END_TEST

/* Also when the helper that was to give it back was taken for another wait, which ran out of time. */
START_TEST(test_instance_goes_with_helper)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0), *held, *waiting;
    if (filelock_new(&held, scratch("other"), NULL) != 0 || filelock_new(&waiting, scratch("other"), NULL) != 0)
        ck_abort_msg("no handles");
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    put_marker(scratch("lock"), marker_record(own_pid()));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 2), -ETIMEDOUT);
    for (int i = 0; i < 10; i++) {
        nap_ms(20);
        EXPECT(filelock_acquire(waiting, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    }
    EVENTUALLY(instances() == 0);
    filelock_free(waiting);
    filelock_free(held);
    filelock_free(lock);
}
END_TEST

/* ---- Errors that stay ---------------------------------------------------------------------------- */

static const struct {
    long number;
    int error;
    int result;
} lasting[] = {
    {SYS_pwrite64, ENOSPC, -ENOSPC}, {SYS_openat, EMFILE, -EMFILE}, {SYS_openat, EROFS, -EROFS},
    {SYS_openat, EIO, -EIO},         {SYS_openat, EACCES, -EACCES}, {SYS_linkat, ENOSPC, -ENOSPC},
    {SYS_linkat, EROFS, -EROFS},
};

START_TEST(test_lasting_error)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    int answers[3] = {1, 1, 1}, ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (!under_valgrind() && deny(lasting[_i].number, 0, 0, lasting[_i].error) == 0) {
            answers[0] = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
            answers[1] = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100);
            answers[2] = filelock_held(lock);
        }
        write_all(ends[1], answers, sizeof answers);
        _exit(0);
    }
    filelock_free(lock);
    ck_assert_int_eq(read_some(ends[0], answers, sizeof answers), sizeof answers);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    if (answers[0] > 0)
        SKIP("system calls cannot be denied here");
    EXPECT(answers[0], lasting[_i].result);
    EXPECT(answers[1], lasting[_i].result);
    ck_assert_int_eq(answers[2], 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Names of hosts, and namespaces -------------------------------------------------------------- */

START_TEST(test_host_name)
{
    NEEDS_SOFT();
    static const char *const names[] = {"plain.example", "a host", "a?b", "\x7f\x01h\xc3\xb6st~!", ""};
    if (unshare(CLONE_NEWUTS) != 0)
        SKIP("wants to be allowed a host name of its own");
    for (int i = 0; i < COUNT(names); i++) {
        ck_assert_int_eq(sethostname(names[i], strlen(names[i])), 0);
        struct filelock *lock = new_soft(scratch("lock"), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        if (i == 1)
            ck_assert_int_eq(strncmp(marker_host(), "a?20host", 8), 0);
        filelock_free(lock);
        put_marker(scratch("lock"), marker_record(dead_pid()));
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    }
    put_marker(scratch("lock"), marker_record(dead_pid()));
    ck_assert_int_eq(sethostname("other", 5), 0); /* what a container that is started anew may get */
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
}
END_TEST

static const struct timespec moment = {0, 50000};

/* Shared with a process in a pid namespace: it acquires, or releases what it has, when it is told to. */
struct inside {
    int told, done, result;
    int64_t pid; /* out here */
};

static struct inside *inside;

static void be_inside(struct filelock *lock)
{
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, NULL) != 0)
        _exit(77);
    for (;;) {
        while (__atomic_load_n(&inside->told, __ATOMIC_SEQ_CST) == inside->done)
            nanosleep(&moment, NULL);
        inside->result = filelock_held(lock) ? filelock_release(lock)
                                             : filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        __atomic_fetch_add(&inside->done, 1, __ATOMIC_SEQ_CST);
    }
}

/* 0, or -1 if there is no namespace to be had. */
static int start_inside(struct filelock *lock)
{
    inside = shared_memory(sizeof *inside);
    pid_t maker = fork();
    if (maker == 0) {
        pid_t first = unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 ? fork() : -1;
        if (first == 0)
            be_inside(lock);
        inside->pid = first;
        _exit(first > 0 ? 0 : 77);
    }
    return process_wait(&(struct process){maker, -1, -1}, PATIENCE_MS) == 0 ? 0 : -1;
}

static int tell_inside(void)
{
    int done = __atomic_add_fetch(&inside->told, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&inside->done, __ATOMIC_SEQ_CST) != done)
        if (!process_runs(inside->pid))
            return -ECHILD;
    return inside->result;
}

static void expect_namespace_in(const char *text)
{
    char path[64], suffix[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%lld/ns/pid", (long long)inside->pid);
    ck_assert_int_eq(stat(path, &status), 0);
    snprintf(suffix, sizeof suffix, "?pidns-%llx\n", (unsigned long long)status.st_ino);
    ck_assert_msg(!strncmp(text, "1\n", 2) && strstr(text, suffix), "not of %s: %s", suffix, text);
}

/* What a pid is in there it is not out here, and the other way round: nobody is ever declared dead. */
START_TEST(test_pid_namespace)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE], other[MARKER_SIZE + 8];
    struct filelock *lock = new_soft(scratch("lock"), 0);
    int result = start_inside(lock) == 0 ? tell_inside() : -ECHILD;
    filelock_free(lock);
    if (result == -ECHILD)
        SKIP("wants to be allowed a pid namespace");
    EXPECT(result, 0);
    ck_assert_int_gt(read_file(scratch("lock"), text, sizeof text), 0);
    expect_namespace_in(text);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    put_marker(scratch("copy"), text); /* which no lock protects */
    EXPECT(try_soft(scratch("copy"), 20), -ETIMEDOUT);
    EXPECT(tell_inside(), 0);
    put_marker(scratch("lock"), marker_record(dead_pid()));
    EXPECT(tell_inside(), -ETIMEDOUT);
    snprintf(other, sizeof other, "31999%s", strchr(text, '\n'));
    put_marker(scratch("lock"), other); /* one of them, and dead */
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    EXPECT(tell_inside(), 0);
    kill((pid_t)inside->pid, SIGKILL);
    EVENTUALLY(!process_runs(inside->pid));
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
}
END_TEST

/* The exit status of `body`, in a process that is the first of a new pid namespace; 77: there is none to be had. */
static int status_inside(int (*body)(void))
{
    int status;
    pid_t maker = fork();
    if (maker == 0) {
        pid_t first = unshare(CLONE_NEWPID) == 0 ? fork() : -1;
        if (first == 0)
            _exit(body());
        _exit(first > 0 && waitpid(first, &status, 0) == first && WIFEXITED(status) ? WEXITSTATUS(status) : 77);
    }
    return process_wait(&(struct process){maker, -1, -1}, PATIENCE_MS);
}

static const char *inside_path;

/* What the marker of a process there begins with: its pid is 1. */
static void fill_beginning(char *text, size_t size)
{
    snprintf(text, size, "1\n%s\n", marker_host());
}

/* 0, or which expectation failed.  /proc is still the one out there, where pid 1 is quite another process. */
static int with_foreign_proc(void)
{
    char text[MARKER_SIZE], marker[MARKER_SIZE] = "";
    struct filelock *lock = new_soft(inside_path, 0);
    struct filelock_owner owner = {sizeof owner, 0, 0, 0, "", ""};
    fill_beginning(text, sizeof text - 8);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
        return 1;
    read_file(inside_path, marker, sizeof marker);
    if (strcmp(marker, text) != 0) /* a token would be that of the other */
        return 2;
    if (filelock_release(lock) != 0)
        return 3;
    strcat(text, "12345\n");
    put_marker(inside_path, text);
    if (filelock_owner(lock, &owner) != 0 || owner.alive == 0)
        return 4;
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20) != -ETIMEDOUT)
        return 5;
    *strchr(strchr(text, '\n') + 1, '?') = '\0'; /* a plain name of the host, as from the initial namespace */
    *text = '7'; /* there is no such process in here */
    put_marker(inside_path, strcat(text, "\n"));
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20) != -ETIMEDOUT)
        return 6;
    return 0;
}

/* Nobody is declared dead by what /proc tells of a process of the same pid in another namespace. */
START_TEST(test_foreign_proc)
{
    NEEDS_SOFT();
    inside_path = scratch("lock");
    int status = status_inside(with_foreign_proc);
    if (status == 77)
        SKIP("wants to be allowed a pid namespace");
    ck_assert_int_eq(status, 0);
}
END_TEST

static int names_itself(void)
{
    char text[MARKER_SIZE], marker[MARKER_SIZE] = "";
    struct filelock *lock = new_soft(inside_path, 0);
    fill_beginning(text, sizeof text);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
        return 1;
    read_file(inside_path, marker, sizeof marker);
    filelock_free(lock);
    return strncmp(marker, text, strlen(text)) != 0 ? 2 : 0;
}

static int names_itself_twice(void)
{
    int status = names_itself();
    return status == 0 ? status_inside(names_itself) : status;
}

/* A child is another process also where its pid is the parent's: each is the first of its namespace. */
START_TEST(test_pid_of_parent)
{
    NEEDS_SOFT();
    inside_path = scratch("lock");
    int status = status_inside(names_itself_twice);
    if (status == 77)
        SKIP("wants to be allowed a pid namespace");
    ck_assert_int_eq(status, 0);
}
END_TEST

/* ---- Suite ---------------------------------------------------------------------------------------- */

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, Linux");
    TCase *tcase = add_case(suite, "systems");
    tcase_add_loop_test(tcase, test_system, 0, COUNT(systems));
    tcase_add_loop_test(tcase, test_system_waits, 0, COUNT(systems));
    tcase_add_loop_test(tcase, test_system_storm, 0, COUNT(systems));
    tcase = add_case(suite, "instances");
    tcase_add_test(tcase, test_one_instance);
    tcase_add_test(tcase, test_instance_does_not_stay);
    tcase_add_test(tcase, test_instance_goes_with_helper);
    tcase = add_case(suite, "errors");
    tcase_add_loop_test(tcase, test_lasting_error, 0, COUNT(lasting));
    tcase = add_case(suite, "names");
    tcase_add_test(tcase, test_host_name);
    tcase_add_test(tcase, test_pid_namespace);
    tcase_add_test(tcase, test_foreign_proc);
    tcase_add_test(tcase, test_pid_of_parent);
    return suite;
}
