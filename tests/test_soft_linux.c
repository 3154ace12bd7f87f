/* SPDX-License-Identifier: MIT
 *
 * test_soft_linux.c - soft locks where the system has less to offer, or where errors last; and in namespaces.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define COUNT(array) ((int) (sizeof(array) / sizeof *(array)))

/* ---- Poor systems ------------------------------------------------------------------------------- */

static const struct system {
    const char *name;
    unsigned lacks;
} systems[] = {
    { "all there is", 0 },
    { "no unnamed files", NO_UNNAMED },
    { "no hard links", NO_UNNAMED | NO_LINKS },
    { "no locks", NO_LOCKS },
    { "no swapping", NO_SWAP },
    { "no unnamed files, no swapping", NO_UNNAMED | NO_SWAP },
    { "no watches", NO_WATCH },
    { "no pidfd", NO_PIDFD },
    { "no watches, no pidfd", NO_WATCH | NO_PIDFD },
    { "nothing", NO_UNNAMED | NO_LINKS | NO_LOCKS | NO_SWAP | NO_WATCH | NO_PIDFD },
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
            process_kill(&(struct process) { peer_pid(peer), -1, -1 });
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
    int64_t used = INT64_MAX; /* the best of three counts: an emulator is busy by itself now and then */
    for (int tries = 0; tries < 3 && used >= 25000000; tries++) {
        int64_t before = processor_ns();
        EXPECT(try_soft(scratch("lock"), 250), -ETIMEDOUT);
        used = processor_ns() - before;
    }
    ck_assert_msg(used < 25000000, "%d us of processor time", (int) (used / 1000));
}
END_TEST

/*
 * Where processes cannot be watched, a helper looks at the marker for an attempt that no thread waits for.  The attempt
 * still knows what the helper has found.
 */
START_TEST(test_lease_of_other_duration)
{
    ON_SYSTEM(NO_PIDFD);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    char text[MARKER_SIZE];
    int rc;
    if (!filelock_supported(FILELOCK_KIND_LEASE))
        SKIP("this build has no kind lease");
    options.kind = FILELOCK_KIND_LEASE;
    options.lease_ms = 10250;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    fill_marker(LEASE("%1", "%4", "lease", "30.5"), text);
    put_marker(scratch("lock"), text);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EINPROGRESS);
    EVENTUALLY((rc = filelock_acquire_finish(lock)) != -EINPROGRESS);
    EXPECT(rc, -EINVAL);
    filelock_describe(lock, -EINVAL, text, sizeof text);
    ck_assert_msg(strstr(text, "a lease of 30.500 s") != NULL, "%s", text);
    filelock_free(lock);
}
END_TEST

static void churn(void)
{
    char path[2048];
    for (int i = 0;; i++) {
        snprintf(path, sizeof path, "%s%d", scratch("other"), i % 100);
        if (write_file(path, "", 0) != 0 || unlink(path) != 0)
            _exit(1);
    }
}

/* What goes on in the directory costs a waiter little time, and does not hide the end of its wait. */
START_TEST(test_busy_directory)
{
    NEEDS_SOFT();
    static struct caller caller;
    int64_t used = INT64_MAX;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    if (under_valgrind() || UNDER_TSAN)
        SKIP("it takes processor time itself");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    pid_t busy = fork();
    if (busy == 0)
        churn();
    for (int tries = 0; tries < 5 && used >= 15000000; tries++) {
        int64_t before = processor_ns();
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 500), -ETIMEDOUT);
        used = processor_ns() - before;
    }
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    process_kill(&(struct process) { busy, -1, -1 });
    caller_end(&caller);
    filelock_free(lock);
    ck_assert_msg(used < 15000000, "%d us of processor time in 500 ms", (int) (used / 1000));
}
END_TEST

/* Where a marker is made in place, its maker may die before it has written: then the takeover takes two seconds. */
START_TEST(test_system_storm)
{
    const struct system *system = &systems[_i];
    ON_SYSTEM(system->lacks);
    struct storm storm = { scratch("lock"), 6, scaled(system->lacks & NO_LINKS ? 10 : 100, 5), 0, NULL };
    storm_run(&storm);
    if (system->lacks & (NO_LOCKS | NO_SWAP)) /* the next takeover removes what the last takeover left */
        put_marker(scratch("lock"), marker_record(dead_pid()));
    expect_usable(scratch("lock"));
}
END_TEST

/* ---- What is kept for the next wait ------------------------------------------------------------- */

/* Returns how many instances of inotify(7) this process has. */
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
    return process_wait(&(struct process) { child, -1, -1 }, PATIENCE_MS);
}

/* Waits share an instance, a child has none, and the last handle gives it back. */
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

/* A user may have few instances, so a process that no longer waits keeps none. */
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

/* The instance also goes if the helper that was to give it back was taken for another wait, and that wait timed out. */
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
    { SYS_pwrite64, ENOSPC, -ENOSPC }, { SYS_openat, EMFILE, -EMFILE }, { SYS_openat, EROFS, -EROFS },
    { SYS_openat, EIO, -EIO },         { SYS_openat, EACCES, -EACCES }, { SYS_linkat, ENOSPC, -ENOSPC },
    { SYS_linkat, EROFS, -EROFS },
};

START_TEST(test_lasting_error)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    int answers[3] = { 1, 1, 1 }, ends[2];
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
    static const char *const names[] = { "plain.example", "a host", "a?b", "\x7f\x01h\xc3\xb6st~!", "" };
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
    ck_assert_int_eq(sethostname("other", 5), 0); /* as a container may be called that is started anew */
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
}
END_TEST

static const struct timespec moment = { 0, 50000 };

/*
 * Shared with a process in a pid namespace.  When told to, that process acquires the lock, or releases it if it holds
 * it.
 */
struct inside {
    int told, done, result;
    int64_t pid; /* as seen from outside */
};

static struct inside *inside;

static void be_inside(struct filelock *lock)
{
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", 0, NULL) != 0)
        _exit(77);
    for (;;) {
        while (__atomic_load_n(&inside->told, __ATOMIC_SEQ_CST) == inside->done)
            nanosleep(&moment, NULL);
        inside->result =
            filelock_held(lock) ? filelock_release(lock) : filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        __atomic_fetch_add(&inside->done, 1, __ATOMIC_SEQ_CST);
    }
}

/* Starts that process.  Returns 0, or -1 if there can be no namespace. */
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
    return process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS) == 0 ? 0 : -1;
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
    snprintf(path, sizeof path, "/proc/%lld/ns/pid", (long long) inside->pid);
    ck_assert_int_eq(stat(path, &status), 0);
    snprintf(suffix, sizeof suffix, "?pidns-%llx\n", (unsigned long long) status.st_ino);
    ck_assert_msg(!strncmp(text, "1\n", 2) && strstr(text, suffix), "not of %s: %s", suffix, text);
}

/*
 * A pid in the namespace belongs to another process outside, and the other way round.  No owner is ever declared dead.
 */
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
    put_marker(scratch("copy"), text); /* no lock protects this file */
    EXPECT(try_soft(scratch("copy"), 20), -ETIMEDOUT);
    EXPECT(tell_inside(), 0);
    put_marker(scratch("lock"), marker_record(dead_pid()));
    EXPECT(tell_inside(), -ETIMEDOUT);
    snprintf(other, sizeof other, "31999%s", strchr(text, '\n'));
    put_marker(scratch("lock"), other); /* a pid of the namespace, and dead */
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    EXPECT(tell_inside(), 0);
    kill((pid_t) inside->pid, SIGKILL);
    EVENTUALLY(!process_runs(inside->pid));
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
}
END_TEST

/* Returns the exit status of `body`, run as the first process of a new pid namespace; 77: there can be no namespace. */
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
    return process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS);
}

static const char *inside_path;

/* Stores the beginning of the marker of a process in the namespace, whose pid is 1. */
static void fill_beginning(char *text, size_t size)
{
    snprintf(text, size, "1\n%s\n", marker_host());
}

/*
 * Returns 0, or the number of the expectation that failed.  /proc is still that of the outside, where pid 1 is another
 * process.
 */
static int with_foreign_proc(void)
{
    char text[MARKER_SIZE], marker[MARKER_SIZE] = "";
    struct filelock *lock = new_soft(inside_path, 0);
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    fill_beginning(text, sizeof text - 8);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
        return 1;
    read_file(inside_path, marker, sizeof marker);
    if (strcmp(marker, text) != 0) /* a token would be the other process's */
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
    *text = '7';                                 /* there is no such process in here */
    put_marker(inside_path, strcat(text, "\n"));
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20) != -ETIMEDOUT)
        return 6;
    return 0;
}

/* No owner is declared dead because of what /proc tells of a process that has the same pid in another namespace. */
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

/* A child is another process even if it has its parent's pid: each is the first process of its namespace. */
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

/* ---- Owners that are known by another number or name ---------------------------------------------- */

/*
 * Starts a process in namespaces of its own, which runs until it is killed.  Returns its pid, or -1 where there can be
 * none.
 */
static pid_t start_idle(int namespaces)
{
    pid_t *pid = shared_memory(sizeof *pid);
    pid_t maker = fork();
    if (maker == 0) {
        pid_t child = unshare(namespaces) == 0 ? fork() : -1;
        while (child == 0)
            pause();
        *pid = child;
        _exit(0);
    }
    process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS);
    return *pid;
}

static void kill_idle(pid_t pid)
{
    kill(pid, SIGKILL);
    EVENTUALLY(!process_runs(pid));
}

static void expect_owner(int64_t pid, int alive, int local)
{
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, pid);
    ck_assert_int_eq(owner.alive, alive);
    ck_assert_int_eq(owner.local, local);
    ck_assert_int_eq(*owner.command != '\0', alive == 1);
    filelock_free(lock);
}

/* Makes the marker of a process in a container that names its host, but does not tell its pid namespace. */
static void put_bare(const char *host, pid_t pid)
{
    char text[MARKER_SIZE];
    snprintf(text, sizeof text, "1\n%s\n%s\n", host, marker_token(pid));
    put_marker(scratch("lock"), text);
}

static const char *const container_hosts[] = { NULL, "container" };

/* The owner is alive although its pid is another process's outside, and its death is seen. */
START_TEST(test_container_without_namespace)
{
    NEEDS_SOFT();
    const char *host = container_hosts[_i] ? container_hosts[_i] : marker_host();
    if (strchr(marker_host(), '?'))
        SKIP("wants to be in the initial pid namespace");
    pid_t pid = start_idle(CLONE_NEWPID);
    if (pid < 0)
        SKIP("wants to be allowed a pid namespace");
    put_bare(host, pid);
    expect_owner(pid, 1, 1);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    kill_idle(pid);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/*
 * A host may get another name while it runs.  Its processes are known to be local by this boot and this pid namespace.
 */
START_TEST(test_renamed_host)
{
    NEEDS_SOFT();
    char living[MARKER_SIZE], ended[MARKER_SIZE];
    pid_t pid = start_idle(0), other = start_idle(0);
    if (unshare(CLONE_NEWUTS) != 0)
        SKIP("wants to be allowed a host name of its own");
    snprintf(living, sizeof living, "%s", marker_record(pid));
    snprintf(ended, sizeof ended, "%s", marker_record(other));
    kill_idle(other);
    ck_assert_int_eq(sethostname("renamed", 7), 0);
    put_marker(scratch("lock"), living);
    expect_owner(pid, 1, 1);
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    put_marker(scratch("lock"), ended);
    expect_owner(other, 0, 1);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    put_marker(scratch("lock"), living);
    kill_idle(pid);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
}
END_TEST

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* Moves the clock since boot, in a new time namespace for the children of this process.  Returns 0, or -1. */
static int shift_clock(const char *seconds)
{
    char text[64];
    if (unshare(CLONE_NEWTIME) != 0)
        return -1;
    snprintf(text, sizeof text, "boottime %s 123456789", seconds);
    return write_file("/proc/self/timens_offsets", text, strlen(text));
}

/* Returns the exit status of `body`, run in such a namespace; 77: there can be no namespace. */
static int status_shifted(const char *seconds, int (*body)(void))
{
    int status;
    pid_t maker = fork();
    if (maker == 0) {
        pid_t pid = shift_clock(seconds) == 0 ? fork() : -1;
        if (pid == 0)
            _exit(body());
        _exit(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 77);
    }
    return process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS);
}

static const char *const shifts[] = { "100000", "1", "0", "-1", "-20" };

/* Returns 0, or the number of the expectation that failed.  No lock protects the marker. */
static int sees_living(void)
{
    struct filelock *lock = new_soft(inside_path, 0);
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    if (filelock_owner(lock, &owner) != 0 || owner.alive != 1)
        return 1;
    return filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20) != -ETIMEDOUT ? 2 : 0;
}

static int sees_dead(void)
{
    struct filelock *lock = new_soft(inside_path, 0);
    return filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0;
}

static pid_t *shifted_pid;

static int holds_shifted(void)
{
    struct filelock *lock = new_soft(inside_path, 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    *shifted_pid = getpid();
    while (result == 0)
        pause();
    return 1;
}

/*
 * A process's start is another number in another time namespace.  No owner is declared dead because of that, inside or
 * outside.
 */
START_TEST(test_time_namespace)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE] = "";
    pid_t idle = start_idle(0);
    inside_path = scratch("lock");
    put_marker(scratch("lock"), marker_record(idle));
    int status = status_shifted(shifts[_i], sees_living);
    if (status == 77)
        SKIP("wants to be allowed a time namespace");
    ck_assert_int_eq(status, 0);
    kill_idle(idle);
    ck_assert_int_eq(status_shifted(shifts[_i], sees_dead), 0);

    inside_path = scratch("held");
    shifted_pid = shared_memory(sizeof *shifted_pid);
    pid_t maker = fork();
    if (maker == 0)
        _exit(status_shifted(shifts[_i], holds_shifted));
    EVENTUALLY(*shifted_pid != 0);
    ck_assert_int_gt(read_file(scratch("held"), text, sizeof text), 0);
    put_marker(scratch("lock"), text);
    expect_owner(*shifted_pid, 1, 1);
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    kill_idle(*shifted_pid);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS);
}
END_TEST

/*
 * A process that began at another time, in another time namespace, may be the owner: it may have been in a third
 * namespace.
 */
START_TEST(test_third_time_namespace)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE] = "", other[MARKER_SIZE];
    inside_path = scratch("held");
    shifted_pid = shared_memory(sizeof *shifted_pid);
    pid_t maker = fork();
    if (maker == 0)
        _exit(status_shifted("5000", holds_shifted));
    EVENTUALLY(*shifted_pid != 0 || !process_runs(maker));
    if (*shifted_pid == 0)
        SKIP("wants to be allowed a time namespace");
    ck_assert_int_gt(read_file(scratch("held"), text, sizeof text), 0);
    size_t length = strlen(text);
    snprintf(other, sizeof other, "%s", text);
    other[length - 7] = other[length - 7] == '9' ? '1' : '9'; /* a digit of the token */
    put_marker(scratch("lock"), other);
    expect_owner(*shifted_pid, -1, 1);
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    kill_idle(*shifted_pid);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    process_wait(&(struct process) { maker, -1, -1 }, PATIENCE_MS);
}
END_TEST

/* ---- Markers without a record -------------------------------------------------------------------- */

#define USER 54321 /* has no process but those of a test */

/* Makes this process an ordinary user's.  If `dumpable`, other processes of that user may look into it. */
static void become_user(uid_t user, int dumpable)
{
    if (setgid(user) != 0 || setuid(user) != 0 || prctl(PR_SET_DUMPABLE, dumpable) != 0)
        _exit(70);
}

/* Returns the exit status of `body`, run as that user. */
static int status_as(uid_t user, int (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        become_user(user, 1);
        _exit(body());
    }
    return process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS);
}

/* Starts a process that makes the file, and has it open until it is killed. */
static pid_t start_maker(const char *path, uid_t user, int dumpable)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (user)
            become_user(user, dumpable);
        if (path && open(path, O_WRONLY | O_CREAT | O_EXCL, 0644) < 0)
            _exit(71);
        if (write(ends[1], "", 1) == 1)
            pause();
        _exit(72);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return pid;
}

static void end_maker(pid_t pid)
{
    kill(pid, SIGKILL);
    ck_assert_int_eq(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS), 128 + SIGKILL);
}

/* Waits longer than an unchanged marker is watched.  Returns 0 if the marker stays and the description says why. */
static int stays_and_says_why(void)
{
    char said[1024];
    struct filelock *lock = new_soft(inside_path, 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, GRACE_MS + 500);
    filelock_describe(lock, result, said, sizeof said);
    filelock_free(lock);
    if (result != -ETIMEDOUT || !path_exists(inside_path))
        return 1;
    return strstr(said, "cannot be looked into") && strstr(said, "--break") ? 0 : 2;
}

static int tries(void)
{
    return -try_soft(inside_path, FILELOCK_TRY);
}

/* The holder writes no record, and is a process of root: a user cannot see whether it lives. */
START_TEST(test_maker_of_root)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    open_scratch();
    inside_path = scratch("lock");
    pid_t maker = start_maker(inside_path, 0, 0);
    EXPECT(status_as(USER, stays_and_says_why), 0);
    EXPECT(try_soft(inside_path, FILELOCK_TRY), -ETIMEDOUT);
    struct filelock *lock = new_soft(inside_path, 0);
    end_maker(maker);
    EXPECT(status_as(USER, tries), ETIMEDOUT); /* any process of root may have it open */
    if (sees_all_openers())
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* For the marker of a user it is enough to see the processes of that user. */
START_TEST(test_maker_of_user)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    if (!sees_all_openers())
        SKIP("wants the initial pid namespace");
    open_scratch();
    inside_path = scratch("lock");
    pid_t maker = start_maker(inside_path, USER, 1);
    EXPECT(status_as(USER, tries), ETIMEDOUT);
    EXPECT(status_as(USER + 1, stays_and_says_why), 0); /* this user cannot look into it */
    pid_t secretive = start_maker(NULL, USER, 0);
    end_maker(maker);
    EXPECT(status_as(USER, stays_and_says_why), 0);
    end_maker(secretive);
    EXPECT(status_as(USER, tries), 0);
    expect_nothing_at(inside_path);
}
END_TEST

/* From a pid namespace, processes outside of it are not seen, and may have the marker open. */
START_TEST(test_maker_outside)
{
    NEEDS_SOFT();
    inside_path = scratch("lock");
    put_marker(inside_path, "");
    int status = status_inside(stays_and_says_why);
    if (status == 77)
        SKIP("wants to be allowed a pid namespace");
    ck_assert_int_eq(status, 0);
}
END_TEST

/*
 * Where other hosts may hold the marker, what counts is how long it has stayed unchanged since the first look of a
 * handle.
 */
START_TEST(test_maker_elsewhere)
{
    NEEDS_SOFT();
    static const char *const markers[] = { "", "4711\nhalf-a-rec" };
    int denied = deny(SYS_fstatfs, 0, 0, ENOSYS);
#ifdef SYS_fstatfs64
    denied |= deny(SYS_fstatfs64, 0, 0, ENOSYS);
#endif
    if (denied != 0)
        SKIP("system calls cannot be denied here");
    put_marker(scratch("lock"), markers[_i]);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    int64_t start = now_ns();
    int result;
    while ((result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY)) == -ETIMEDOUT) {
        ck_assert_int_lt((now_ns() - start) / 1000000, GRACE_MS + LATENESS_MS);
        nap_ms(10);
    }
    EXPECT(result, 0);
    ck_assert_int_ge((now_ns() - start) / 1000000, GRACE_MS);
    filelock_free(lock);
    put_marker(scratch("lock"), markers[_i]);
    start = now_ns();
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    ck_assert_int_ge((now_ns() - start) / 1000000, GRACE_MS);
    put_marker(scratch("lock"), "4711\n"); /* of a host that is not known */
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
}
END_TEST

/* ---- Numbers of files that are used again --------------------------------------------------------- */

/*
 * Makes a lease of another host, which a contender watches for two seconds.  All have the same date.  Returns its
 * number.
 */
static ino_t put_lease(const char *path)
{
    static const struct timespec then[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
    struct stat status;
    put_marker(path, "filelock/2\npid=1\nhost=another.host\nmode=lease\ntoken=0a\nduration=1\n");
    ck_assert_int_eq(utimensat(AT_FDCWD, path, then, 0), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_ino;
}

/*
 * Makes a lease at the path, with this number if possible: other files may get the number first.  True if it has the
 * number.
 */
static int put_lease_with_number(ino_t number)
{
    char name[16];
    int found = 0;
    for (int i = 0; i < 50 && !found; i++) {
        snprintf(name, sizeof name, "try.%d", i);
        found = put_lease(scratch(name)) == number;
        if (found || i == 49)
            ck_assert_int_eq(rename_over(scratch(name), scratch("lock")), 0);
    }
    return found;
}

/* What was seen of a marker says nothing about the next marker, even if that looks like the same file. */
START_TEST(test_number_used_again)
{
    NEEDS_SOFT();
    ino_t number = put_lease(scratch("lock"));
    ck_assert_int_eq(remove_file(scratch("lock")), 0);
    if (!put_lease_with_number(number))
        SKIP("numbers of files are not used again here");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(remove_file(scratch("lock")), 0);
    int again = put_lease_with_number(number);
    nap_ms(GRACE_MS + 100);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert(!again);
    nap_ms(GRACE_MS + 100);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* Returns how many descriptors of the marker this process has, and stores the last of them. */
static int copies_of(const char *path, int *number)
{
    struct stat marker, status;
    int count = 0;
    if (stat(path, &marker) != 0)
        return -1;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &status) == 0 && status.st_dev == marker.st_dev && status.st_ino == marker.st_ino) {
            count++;
            *number = fd;
        }
    return count;
}

/*
 * The file that a handle keeps open is closed in a child, on exec, and by the end of the handle.  It is not closed if
 * the descriptor is another file's by then.
 */
START_TEST(test_kept_file)
{
    NEEDS_SOFT();
    const char *path = scratch("lock");
    int fd = -1, limit;
    struct rlimit before, none;
    put_lease(path);
    struct filelock *lock = new_soft(path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(copies_of(path, &fd), 1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0)
        _exit(copies_of(path, &limit));
    EXPECT(process_wait(&(struct process) { child, -1, -1 }, PATIENCE_MS), 0);
    /* The kept file gives way where there is no other descriptor. */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    limit = dup(2);
    close(limit);
    none.rlim_cur = (rlim_t) (limit > fd ? limit : fd + 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT(result, -ETIMEDOUT);
    ck_assert_int_eq(copies_of(path, &fd), 1);
    ck_assert_int_eq(dup2(2, fd), fd); /* as by a program that closes what it does not know */
    filelock_free(lock);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    close(fd);
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
    tcase_add_test(tcase, test_lease_of_other_duration);
    tcase_add_test(tcase, test_busy_directory);
    tcase = add_case(suite, "instances");
    tcase_add_test(tcase, test_one_instance);
    tcase_add_test(tcase, test_instance_does_not_stay);
    tcase_add_test(tcase, test_instance_goes_with_helper);
    tcase = add_case(suite, "errors");
    tcase_add_loop_test(tcase, test_lasting_error, 0, COUNT(lasting));
    tcase = add_case(suite, "makers");
    tcase_add_test(tcase, test_maker_of_root);
    tcase_add_test(tcase, test_maker_of_user);
    tcase_add_test(tcase, test_maker_outside);
    tcase_add_loop_test(tcase, test_maker_elsewhere, 0, 2);
    tcase_add_test(tcase, test_number_used_again);
    tcase_add_test(tcase, test_kept_file);
    tcase = add_case(suite, "names");
    tcase_add_test(tcase, test_host_name);
    tcase_add_test(tcase, test_pid_namespace);
    tcase_add_test(tcase, test_foreign_proc);
    tcase_add_test(tcase, test_pid_of_parent);
    tcase = add_case(suite, "owners");
    tcase_add_loop_test(tcase, test_container_without_namespace, 0, COUNT(container_hosts));
    tcase_add_test(tcase, test_renamed_host);
    tcase_add_loop_test(tcase, test_time_namespace, 0, COUNT(shifts));
    tcase_add_test(tcase, test_third_time_namespace);
    return suite;
}
