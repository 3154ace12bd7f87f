/* SPDX-License-Identifier: MIT
 *
 * test_soft_posix.c - soft locks and processes: how these end, fork, and wait for each other.  Also what happens where
 * a marker cannot be made.
 */
#include "markers.h"
#include "posix.h"
#include "witness.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct peer *holding(const char *path, unsigned flags)
{
    struct peer *peer = peer_with(soft_kind(), path, flags);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

/*
 * Fails the test unless the marker is this process's, and is respected, even by a contender that judges by the record
 * alone.
 */
static void expect_held_by(const char *path, int64_t pid)
{
    char text[MARKER_SIZE], copy[2048];
    expect_contents(path, marker_record(pid));
    expect_nothing_beside(path);
    EXPECT(try_soft(path, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(try_soft(path, 20), -ETIMEDOUT);
    snprintf(copy, sizeof copy, "%s", scratch("copy"));
    ck_assert_int_gt(read_file(path, text, sizeof text), 0);
    put_marker(copy, text);
    EXPECT(try_soft(copy, FILELOCK_TRY), -ETIMEDOUT);
    remove_file(copy);
}

/* ---- Ends --------------------------------------------------------------------------------------- */

START_TEST(test_exit)
{
    NEEDS_SOFT();
    for (int exits = 0; exits < 2; exits++) {
        struct peer *peer = holding(scratch("lock"), 0);
        if (exits) {
            peer_send(peer, "exit 3");
            ck_assert_int_eq(peer_status(peer), 3);
        } else {
            ck_assert_int_eq(peer_end(peer), 0); /* returns from main() */
        }
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/* Another thread that holds the lock may be at work until the process is gone. */
START_TEST(test_exit_of_other_thread)
{
    NEEDS_SOFT();
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "on w acquire a exclusive 0");
    PEER_SAYS(peer, "0", "answer w");
    peer_send(peer, "exit 3");
    ck_assert_int_eq(peer_status(peer), 3);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* The process does not leave by exit(): its marker stays, and is taken over from the dead. */
START_TEST(test_kill)
{
    NEEDS_SOFT();
    for (int i = 0; i < 5; i++) {
        struct peer *peer = holding(scratch("lock"), 0);
        peer_kill(peer);
        ck_assert(path_exists(scratch("lock")));
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

START_TEST(test_thread_ends)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert(path_exists(scratch("lock")));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    caller_end(&caller);
    expect_nothing_at(scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* Forks a child that says when it has the lock, and then does `then`. */
static pid_t fork_holder(const char *path, void (*then)(struct filelock *lock))
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    struct filelock *lock = new_soft(path, FILELOCK_ANY_THREAD);
    pid_t pid = fork();
    if (pid == 0) {
        byte = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) == 0 ? 'y' : 'n';
        close(ends[0]);
        write_all(ends[1], &byte, 1);
        close(ends[1]);
        then(lock);
        _exit(0);
    }
    filelock_free(lock);
    close(ends[1]);
    ck_assert_int_eq(read_some(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'y');
    close(ends[0]);
    return pid;
}

static void leave_at_once(struct filelock *lock)
{
    (void) lock;
}

/* A zombie holds nothing, although its pid still exists. */
START_TEST(test_zombie)
{
    NEEDS_SOFT();
    siginfo_t info;
    pid_t pid = fork_holder(scratch("lock"), leave_at_once);
    ck_assert_int_eq(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(kill(pid, 0), 0);
    if (!*marker_token(own_pid()))
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid); /* zombies cannot be told apart here */
    struct filelock_owner owner = { .size = sizeof owner };
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, pid);
    ck_assert_int_eq(owner.alive, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
    waitpid(pid, NULL, 0);
}
END_TEST

static void *sleep_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void end_first_thread(struct filelock *lock)
{
    pthread_t thread;
    (void) lock;
    if (pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0)
        pthread_exit(NULL);
}

/* A process whose first thread has ended looks like a zombie, but lives. */
START_TEST(test_first_thread_ends)
{
    NEEDS_SOFT();
    char stat[64], text[512] = ")  ";
    pid_t pid = fork_holder(scratch("lock"), end_first_thread);
    snprintf(stat, sizeof stat, "/proc/%d/stat", (int) pid);
    if (path_exists(stat))
        EVENTUALLY(read_file(stat, text, sizeof text) > 0 && strrchr(text, ')')[2] == 'Z');
    expect_held_by(scratch("lock"), pid);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* A process that is stopped is alive. */
START_TEST(test_stopped)
{
    NEEDS_SOFT();
    struct peer *peer = holding(scratch("lock"), 0);
    kill((pid_t) peer_pid(peer), SIGSTOP);
    EXPECT(try_soft(scratch("lock"), 100), -ETIMEDOUT);
    expect_held_by(scratch("lock"), peer_pid(peer));
    kill((pid_t) peer_pid(peer), SIGCONT);
    PEER_SAYS(peer, "0", "release a");
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Fork --------------------------------------------------------------------------------------- */

/* Whatever a child does, and however it ends, its parent's lock is not affected. */
START_TEST(test_child)
{
    NEEDS_SOFT();
    static const char *const does[] = { "release a", "release_all a", "acquire a exclusive 0", "free a" };
    static const char *const says[] = { "-EPERM", "-EPERM", "-ETIMEDOUT", "0" };
    for (int i = 0; i < 4; i++)
        for (int killed = 0; killed < 2; killed++) {
            struct peer *parent = holding(scratch("lock"), 0);
            uint64_t identity = file_identity(scratch("lock"));
            struct peer *child = peer_fork(parent, NULL);
            PEER_SAYS(child, says[i], "%s", does[i]);
            if (killed)
                peer_kill(child);
            else
                peer_send(child, "exit 0");
            PEER_SAYS(parent, killed ? "137" : "0", "reap %lld", (long long) peer_pid(child));
            ck_assert(file_identity(scratch("lock")) == identity);
            expect_held_by(scratch("lock"), peer_pid(parent));
            PEER_SAYS(parent, "0", "release a");
            expect_nothing_at(scratch("lock"));
            peer_end(parent);
        }
}
END_TEST

/* The parent is killed while a child lives that has a copy of its memory. */
START_TEST(test_orphan)
{
    NEEDS_SOFT();
    struct peer *parent = holding(scratch("lock"), 0);
    struct peer *child = peer_fork(parent, NULL);
    peer_kill(parent);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(child, "0", "acquire a exclusive 0");
    expect_held_by(scratch("lock"), peer_pid(child));
    peer_end(child);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* From the fork on, the marker names the child, whatever becomes of the parent. */
START_TEST(test_daemon)
{
    NEEDS_SOFT();
    static const char *const ends[] = { "exit 0", "release a", "free a", "kill" };
    for (int i = 0; i < 4; i++) {
        struct peer *parent = holding(scratch("lock"), FILELOCK_FORK_SHARE);
        uint64_t identity = file_identity(scratch("lock"));
        struct peer *child = peer_fork(parent, NULL);
        PEER_SAYS(child, "1", "held a");
        expect_held_by(scratch("lock"), peer_pid(child));
        if (i == 3) {
            peer_kill(parent);
        } else {
            peer_send(parent, "%s", ends[i]);
            if (i > 0)
                PEER_ANSWERS(parent, "0");
            peer_end(parent);
        }
        expect_held_by(scratch("lock"), peer_pid(child));
        ck_assert(file_identity(scratch("lock")) == identity);
        PEER_SAYS(child, "0", "check a");
        PEER_SAYS(child, "0", "release a");
        expect_nothing_at(scratch("lock"));
        PEER_SAYS(child, "0", "acquire a exclusive 0");
        expect_held_by(scratch("lock"), peer_pid(child));
        peer_kill(child);
        EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/* A daemon forks twice, and is killed in the end. */
START_TEST(test_grandchild)
{
    NEEDS_SOFT();
    struct peer *parent = holding(scratch("lock"), FILELOCK_FORK_SHARE);
    struct peer *middle = peer_fork(parent, NULL);
    struct peer *daemon = peer_fork(middle, NULL);
    expect_held_by(scratch("lock"), peer_pid(daemon));
    peer_end(middle);
    expect_held_by(scratch("lock"), peer_pid(daemon));
    peer_end(parent);
    expect_held_by(scratch("lock"), peer_pid(daemon));
    peer_kill(daemon);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

START_TEST(test_child_first)
{
    NEEDS_SOFT();
    static const char *const ends[] = { "release a", "free a", "exit 0" };
    for (int i = 0; i < 3; i++) {
        struct peer *parent = holding(scratch("lock"), FILELOCK_FORK_SHARE);
        struct peer *child = peer_fork(parent, NULL);
        peer_send(child, "%s", ends[i]);
        if (i == 2)
            PEER_SAYS(parent, "0", "reap %lld", (long long) peer_pid(child));
        else
            PEER_ANSWERS(child, "0");
        expect_held_by(scratch("lock"), peer_pid(parent));
        PEER_SAYS(parent, "0", "check a");
        PEER_SAYS(parent, "0", "release a");
        expect_nothing_at(scratch("lock"));
        peer_end(parent);
    }
}
END_TEST

/* The child that the marker names is killed: no process takes over what the parent still holds. */
START_TEST(test_child_killed)
{
    NEEDS_SOFT();
    struct peer *parent = holding(scratch("lock"), FILELOCK_FORK_SHARE);
    struct peer *child = peer_fork(parent, NULL);
    peer_kill(child);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(try_soft(scratch("lock"), 200), -ETIMEDOUT);
    PEER_SAYS(parent, "0", "check a");
    PEER_SAYS(parent, "0", "release a");
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    expect_held_by(scratch("lock"), peer_pid(parent));
}
END_TEST

/* All processes that shared a marker leave it alone after it was broken. */
START_TEST(test_shared_and_broken)
{
    NEEDS_SOFT();
    struct peer *parent = holding(scratch("lock"), FILELOCK_FORK_SHARE);
    struct peer *child = peer_fork(parent, NULL);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_break(lock), 0);
    PEER_SAYS(child, "-ESTALE", "check a");
    PEER_SAYS(parent, "-ESTALE", "check a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(child, "0", "release a");
    PEER_SAYS(parent, "0", "release a");
    EXPECT(filelock_check(lock), 0);
    expect_held_by(scratch("lock"), own_pid());
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Waiting ------------------------------------------------------------------------------------ */

#define PROMPT_MS LATENESS_MS

static void hand_over(int killing)
{
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    for (int i = 0; i < 10; i++) {
        struct peer *peer = holding(scratch("lock"), 0);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, i % 2 ? FILELOCK_FOREVER : PATIENCE_MS);
        wait_for_sleep(&caller);
        int64_t start = now_ns();
        if (killing)
            process_kill(&(struct process) { peer_pid(peer), -1, -1 });
        else
            peer_send(peer, "release a");
        EXPECT(end_call(&caller), 0);
        ck_assert_int_lt((now_ns() - start) / 1000000, PROMPT_MS);
        EXPECT(caller_call(&caller, CALL_CHECK, lock), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        expect_nothing_at(scratch("lock"));
        peer_kill(peer);
    }
    caller_end(&caller);
    filelock_free(lock);
}

START_TEST(test_handover)
{
    NEEDS_SOFT();
    hand_over(0);
}
END_TEST

START_TEST(test_handover_from_the_dead)
{
    NEEDS_SOFT();
    hand_over(1);
}
END_TEST

/*
 * A wait does not rely on what the wait before it has seen.  Since then the owner may have died, or the directory may
 * have been replaced.
 */
START_TEST(test_between_waits)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("folder/lock"), FILELOCK_MAKE_PARENTS);
    caller_start(&caller);
    for (int replaced = 0; replaced < 2; replaced++) {
        ck_assert_int_eq(make_directory(scratch("folder")), 0);
        struct peer *peer = holding(scratch("folder/lock"), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
        if (replaced) {
            PEER_SAYS(peer, "0", "release a");
            ck_assert_int_eq(rmdir(scratch("folder")), 0);
            ck_assert_int_eq(make_directory(scratch("folder")), 0);
            PEER_SAYS(peer, "0", "acquire a exclusive 0");
            begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
            wait_for_sleep(&caller);
        }
        int64_t start = now_ns();
        if (replaced) {
            peer_send(peer, "release a");
            EXPECT(end_call(&caller), 0);
        } else {
            process_kill(&(struct process) { peer_pid(peer), -1, -1 });
            begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
            EXPECT(end_call(&caller), 0);
        }
        ck_assert_int_lt((now_ns() - start) / 1000000, PROMPT_MS);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        expect_nothing_at(scratch("folder/lock"));
        peer_kill(peer);
        ck_assert_int_eq(rmdir(scratch("folder")), 0);
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/*
 * A marker may go away by a rename, or by another marker over it, and no process tells of that.  The waiter sees it all
 * the same.
 */
START_TEST(test_marker_moves)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    for (int replaced = 0; replaced < 2; replaced++) {
        put_marker(scratch("lock"), "1\nanother.host\n");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
        wait_for_sleep(&caller);
        int64_t start = now_ns();
        if (replaced) {
            put_marker(scratch("other"), marker_record(dead_pid()));
            ck_assert_int_eq(rename_over(scratch("other"), scratch("lock")), 0);
        } else {
            ck_assert_int_eq(rename_over(scratch("lock"), scratch("other")), 0);
        }
        EXPECT(end_call(&caller), 0);
        ck_assert_int_lt((now_ns() - start) / 1000000, PROMPT_MS);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        expect_nothing_at(scratch("lock"));
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A waiter sleeps, whether it waits for a process, or for a marker whose process cannot be watched from here. */
START_TEST(test_waiter_sleeps)
{
    NEEDS_SOFT();
    if (under_valgrind())
        SKIP("valgrind knows no pidfd_open(2), so that a waiter naps");
    for (int foreign = 0; foreign < 2; foreign++) {
        struct peer *peer = foreign ? NULL : holding(scratch("lock"), 0);
        if (foreign)
            put_marker(scratch("lock"), "1\nanother.host\n");
        struct filelock *lock = new_soft(scratch("lock"), 0);
        expect_waiter_sleeps(lock);
        filelock_free(lock);
        if (peer)
            PEER_SAYS(peer, "0", "release a");
    }
}
END_TEST

static int processes(void)
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (directory && (entry = readdir(directory)))
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (directory)
        closedir(directory);
    return count;
}

/* A waiter that never breaks sleeps even if another waiter would have taken over by now. */
START_TEST(test_waiter_that_never_breaks_sleeps)
{
    NEEDS_SOFT();
    static const char *const markers[] = { "4711\nhalf-a-rec", "filelock/2\npid=1\nhost=another.host\nmode=lease\n"
                                                               "token=1\nduration=0.1\n" };
    put_marker(scratch("lock"), markers[_i]);
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_NEVER_BREAK);
    int64_t used = processor_ns(), start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 3000), -ETIMEDOUT);
    used = processor_ns() - used;
    EXPECT_TOOK(start, 3000);
    /* The process that might write the marker is searched for among all processes. */
    int slow = under_valgrind() || getenv("FILELOCK_TEST_EMULATOR") || processes() > 500;
    ck_assert_msg(used < 100000000 || slow, "%d us of processor time", (int) (used / 1000));
    expect_contents(scratch("lock"), markers[_i]);
    filelock_free(lock);
}
END_TEST

static void interrupted(int signal)
{
    (void) signal;
}

static struct signal_pair cancelling;

static void set_cancelling(int signal)
{
    (void) signal;
    waitable_set(&cancelling);
}

/* A wait for a marker of another host can end in these ways too. */
START_TEST(test_wait_ends)
{
    NEEDS_SOFT();
    struct filelock_options options = options_of(soft_kind());
    struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
    waitable_open(&cancelling);
    put_marker(scratch("lock"), "1\nanother.host\n");
    for (int way = 0; way < 3; way++) {
        struct sigaction action = { .sa_flags = SA_RESTART };
        action.sa_handler = way == 2 ? set_cancelling : interrupted;
        options.flags = way == 0 ? FILELOCK_INTERRUPTIBLE : 0;
        options.cancel = way == 2 ? cancelling.waitable : FILELOCK_NO_WAITABLE;
        struct filelock *lock = new_lock_with(&options, scratch("lock"));
        ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
        ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
        int64_t start = now_ns();
        int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, way == 1 ? 200 : FILELOCK_FOREVER);
        EXPECT(result, way == 0 ? -EINTR : way == 1 ? -ETIMEDOUT : -ECANCELED);
        ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
        EXPECT_TOOK(start, way == 1 ? 200 : 0);
        filelock_free(lock);
    }
    waitable_close(&cancelling);
    expect_contents(scratch("lock"), "1\nanother.host\n");
}
END_TEST

/* Many processes wait for the lock.  When the holder dies, one of them gets it, and in the end all have had it. */
START_TEST(test_many_waiters)
{
    NEEDS_SOFT();
    enum { WAITERS = 20 };
    struct peer *holder = holding(scratch("lock"), 0), *waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = peer_with(soft_kind(), scratch("lock"), 0);
        peer_send(waiters[i], "work a witness=%s slot=%d count=3 hold=1", scratch("witness"), i);
    }
    nap_ms(50);
    peer_kill(holder);
    for (int i = 0; i < WAITERS; i++)
        PEER_ANSWERS(waiters[i], "0 done=3 overlaps=0 together=0");
    ck_assert_int_eq(witness_count(scratch("witness")), 3 * WAITERS);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Where no marker can be made ----------------------------------------------------------------- */

START_TEST(test_no_way)
{
    NEEDS_SOFT();
    char name[300];
    memset(name, 'n', 256);
    name[256] = '\0';
    put_marker(scratch("file"), "");
    EXPECT(try_soft(scratch("file/lock"), FILELOCK_TRY), -ENOTDIR);
    EXPECT(try_soft(scratch("file/lock"), FILELOCK_FOREVER), -ENOTDIR);
    EXPECT(try_soft(scratch("none/lock"), FILELOCK_TRY), -ENOENT);
    EXPECT(try_soft(scratch(name), FILELOCK_TRY), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_forbidden_directory)
{
    NEEDS_SOFT();
    AS_ORDINARY_USER();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    put_marker(scratch("folder/stale"), marker_record(dead_pid()));
    ck_assert_int_eq(chmod(scratch("folder"), 0555), 0);
    EXPECT(try_soft(scratch("folder/lock"), FILELOCK_TRY), -EACCES);
    EXPECT(try_soft(scratch("folder/lock"), FILELOCK_FOREVER), -EACCES);
    EXPECT(try_soft(scratch("folder/stale"), FILELOCK_TRY), -EACCES);
    ck_assert(path_exists(scratch("folder/stale")));
    ck_assert_int_eq(chmod(scratch("folder"), 0755), 0);
    expect_nothing_at(scratch("folder/lock"));
    EXPECT(try_soft(scratch("folder/stale"), FILELOCK_TRY), 0);
    expect_nothing_at(scratch("folder/stale"));
}
END_TEST

/* In a directory like /tmp a user may not remove what another user left. */
START_TEST(test_sticky_directory)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    ck_assert_int_eq(chmod(scratch("folder"), 01777), 0);
    make_file(scratch("folder/stale"), 0644, marker_record(dead_pid()));
    become_nobody();
    int result = try_soft(scratch("folder/stale"), 20);
    ck_assert_msg(result == -EACCES || result == -EPERM, "%s", result_name(result));
    expect_nothing_beside(scratch("folder/stale"));
    ck_assert(path_exists(scratch("folder/stale")));
    EXPECT(try_soft(scratch("folder/lock"), FILELOCK_TRY), 0);
    expect_nothing_at(scratch("folder/lock"));
}
END_TEST

/* A file that cannot grow stands in for a full disk. */
START_TEST(test_no_room)
{
    NEEDS_SOFT();
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    signal(SIGXFSZ, SIG_IGN);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    char text[MARKER_SIZE];
    snprintf(text, sizeof text, "%s", marker_record(dead_pid()));
    for (int takeover = 0; takeover < 2; takeover++) {
        if (takeover)
            put_marker(scratch("lock"), text);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        int tried = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        int waited = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        EXPECT(tried, -EFBIG);
        EXPECT(waited, -EFBIG);
        ck_assert(!filelock_held(lock));
        if (takeover)
            expect_nothing_beside(scratch("lock"));
        else
            expect_nothing_at(scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("lock"));
    }
    filelock_free(lock);
}
END_TEST

/* If a path gets free by a rename further up, no event tells of it. */
START_TEST(test_freed_from_above)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("above/folder/lock"), FILELOCK_NEVER_BREAK);
    ck_assert_int_eq(mkdir(scratch("above"), 0777), 0);
    ck_assert_int_eq(mkdir(scratch("above/folder"), 0777), 0);
    put_marker(scratch("above/folder/lock"), marker_record(dead_pid()));
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    ck_assert_int_eq(mkdir(scratch("new"), 0777), 0);
    ck_assert_int_eq(mkdir(scratch("new/folder"), 0777), 0);
    ck_assert_int_eq(rename(scratch("above"), scratch("old")), 0);
    ck_assert_int_eq(rename(scratch("new"), scratch("above")), 0);
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_no_descriptors)
{
    NEEDS_SOFT();
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), nothing = filelock_break(lock);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT(result, -EMFILE);
    EXPECT(nothing, -ENOENT);
    expect_nothing_at(scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int broken = filelock_break(lock);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT(broken, 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/*
 * A relative path is relative to the directory at the acquire, even if the process goes to the root as a daemon does.
 */
START_TEST(test_directory_left)
{
    NEEDS_SOFT();
    char folder[2048];
    snprintf(folder, sizeof folder, "%s", scratch("lock"));
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chdir(folder), 0);
    struct filelock *lock = new_soft("lock", 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert(path_exists(scratch("lock")));
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* The directory has another name at the release.  The marker that is left there is not taken for held. */
START_TEST(test_directory_renamed)
{
    NEEDS_SOFT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct filelock *lock = new_soft(scratch("folder/lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(rename_over(scratch("folder"), scratch("moved")), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(try_soft(scratch("moved/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("moved/lock"));
    filelock_free(lock);
}
END_TEST

/* The marker is emptied while a caller waits for it.  The directory says nothing about that. */
START_TEST(test_emptied_while_waited_for)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("lock"), 0);
    put_marker(scratch("lock"), marker_record(own_pid()));
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    int fd = open(scratch("lock"), O_WRONLY | O_TRUNC);
    ck_assert_int_ge(fd, 0);
    close(fd);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

static void move_link(void)
{
    ck_assert_int_eq(symlink("second", scratch("other")), 0);
    ck_assert_int_eq(rename_over(scratch("other"), scratch("link")), 0);
    ck_assert_int_eq(unlinkat(AT_FDCWD, scratch("first"), 0), 0);
}

/* Returns the result of an acquire that waits for the file that a link leads to.  Meanwhile the link is made anew. */
static int acquire_by_moving_link(struct caller *caller, struct filelock *lock)
{
    put_marker(scratch("first"), marker_record(own_pid()));
    ck_assert_int_eq(symlink("first", scratch("link")), 0);
    begin_acquire(caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(caller);
    move_link();
    return end_call(caller);
}

START_TEST(test_link_moves)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("link"), FILELOCK_FOLLOW_SYMLINK);
    caller_start(&caller);
    EXPECT(acquire_by_moving_link(&caller, lock), 0);
    expect_contents(scratch("second"), marker_record(own_pid()));
    expect_nothing_at(scratch("first"));
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    expect_nothing_at(scratch("second"));
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* True if the library's next unlink(2) fails, unless it is in the test's own thread. */
static int refuses_to_remove;
static pthread_t tester;

int unlink(const char *path)
{
    if (pthread_equal(pthread_self(), tester) || !__atomic_exchange_n(&refuses_to_remove, 0, __ATOMIC_SEQ_CST))
        return unlinkat(AT_FDCWD, path, 0);
    errno = EIO;
    return -1;
}

/* True if the link that the library reads next is made anew right after that, and its file removed. */
static int moves_link;

ssize_t readlink(const char *path, char *text, size_t size)
{
    ssize_t length = readlinkat(AT_FDCWD, path, text, size);
    int error = errno;
    if (length > 0 && __atomic_exchange_n(&moves_link, 0, __ATOMIC_SEQ_CST))
        move_link();
    errno = error;
    return length;
}

/*
 * The marker that was made where the link had led cannot be removed: it is disowned, and the handle keeps nothing of
 * it.
 */
START_TEST(test_link_moves_from_what_stays)
{
    NEEDS_SOFT();
    static struct caller caller;
    struct filelock *lock = new_soft(scratch("link"), FILELOCK_FOLLOW_SYMLINK);
    tester = pthread_self();
    __atomic_store_n(&refuses_to_remove, 1, __ATOMIC_SEQ_CST);
    caller_start(&caller);
    put_marker(scratch("first"), marker_record(own_pid()));
    ck_assert_int_eq(symlink("first", scratch("link")), 0);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    __atomic_store_n(&moves_link, 1, __ATOMIC_SEQ_CST);
    EXPECT(end_call(&caller), -EIO);
    ck_assert(!__atomic_load_n(&moves_link, __ATOMIC_SEQ_CST));
    ck_assert(!__atomic_load_n(&refuses_to_remove, __ATOMIC_SEQ_CST));
    expect_contents(scratch("first"), marker_disowned());
    ck_assert_int_eq(descriptors_on(scratch("first")), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), -EPERM);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_contents(scratch("second"), marker_record(own_pid()));
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    expect_nothing_at(scratch("second"));
    caller_end(&caller);
    filelock_free(lock);
    EXPECT(try_soft(scratch("first"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("first"));
}
END_TEST

/* ---- What the dead leave ------------------------------------------------------------------------- */

static const struct {
    const char *format; /* takes a dead process's pid */
    int goes;
} left[] = {
    { "lock.break.0123456789abcdef", 1 },
    { "lock.break.0123456789abcde", 0 },
    { "lock.break.0123456789abcdefa", 0 },
    { "lock.break.0123456789abcdeF", 0 },
    { "lock.break.", 0 },
    { "lock.breaks.0123456789abcdef", 0 },
    { "lock2.break.0123456789abcdef", 0 },
    { "lock.new.00000000.%lld.0", 0 }, /* another host's */
    { "loc.break.0123456789abcdef", 0 },
};

static void leave_all(void)
{
    char name[64];
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(name, sizeof name, left[i].format, (long long) dead_pid());
        put_marker(scratch(name), "");
    }
}

/* Returns how many of those that go are there.  The others must all be there.  Removes all of them. */
static int count_left(void)
{
    char name[64];
    int count = 0;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        const char *there = NULL;
        snprintf(name, sizeof name, "%.*s", (int) strcspn(left[i].format, "%"), left[i].format);
        if (strchr(left[i].format, '%'))
            there = file_beside(scratch(name));
        else if (path_exists(scratch(left[i].format)))
            there = left[i].format;
        ck_assert_msg(there || left[i].goes, "removed: %s", left[i].format);
        if (!there)
            continue;
        snprintf(name, sizeof name, "%s", there);
        ck_assert_int_eq(remove_file(scratch(name)), 0);
        count += left[i].goes;
    }
    return count;
}

/* A process that takes over from the dead removes what they have left, and nothing else.  So does filelock_break(). */
START_TEST(test_swept)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0), *other = new_soft(scratch("lock"), 0);
    leave_all();
    put_marker(scratch("lock"), marker_record(dead_pid()));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(count_left(), 0);
    leave_all();
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    ck_assert_int_eq(count_left(), 1); /* not by a contender that gets nothing */
    leave_all();
    EXPECT(filelock_break(other), 0);
    ck_assert_int_eq(count_left(), 0);
    leave_all();
    EXPECT(filelock_break(other), -ENOENT);
    ck_assert_int_eq(count_left(), 0);
    filelock_free(other);
    filelock_free(lock);
}
END_TEST

/* ---- Suite --------------------------------------------------------------------------------------- */

static void add_fork(Suite *suite)
{
    TCase *tcase = add_case(suite, "fork");
    tcase_add_test(tcase, test_child);
    tcase_add_test(tcase, test_orphan);
    tcase_add_test(tcase, test_daemon);
    tcase_add_test(tcase, test_grandchild);
    tcase_add_test(tcase, test_child_first);
    tcase_add_test(tcase, test_child_killed);
    tcase_add_test(tcase, test_shared_and_broken);
}

static void add_waiting(Suite *suite)
{
    TCase *tcase = add_case(suite, "waiting");
    tcase_add_test(tcase, test_handover);
    tcase_add_test(tcase, test_handover_from_the_dead);
    tcase_add_test(tcase, test_between_waits);
    tcase_add_test(tcase, test_marker_moves);
    tcase_add_test(tcase, test_waiter_sleeps);
    tcase_add_loop_test(tcase, test_waiter_that_never_breaks_sleeps, 0, 2);
    tcase_add_test(tcase, test_wait_ends);
    tcase_add_test(tcase, test_many_waiters);
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, processes");
    TCase *tcase = add_case(suite, "ends");
    tcase_add_test(tcase, test_exit);
    tcase_add_test(tcase, test_exit_of_other_thread);
    tcase_add_test(tcase, test_kill);
    tcase_add_test(tcase, test_thread_ends);
    tcase_add_test(tcase, test_zombie);
    tcase_add_test(tcase, test_first_thread_ends);
    tcase_add_test(tcase, test_stopped);
    add_fork(suite);
    add_waiting(suite);
    tcase = add_case(suite, "errors");
    tcase_add_test(tcase, test_no_way);
    tcase_add_test(tcase, test_forbidden_directory);
    tcase_add_test(tcase, test_sticky_directory);
    tcase_add_test(tcase, test_no_room);
    tcase_add_test(tcase, test_freed_from_above);
    tcase_add_test(tcase, test_no_descriptors);
    tcase = add_case(suite, "left");
    tcase_add_test(tcase, test_directory_left);
    tcase_add_test(tcase, test_directory_renamed);
    tcase_add_test(tcase, test_emptied_while_waited_for);
    tcase_add_test(tcase, test_link_moves);
    tcase_add_test(tcase, test_link_moves_from_what_stays);
    tcase_add_test(tcase, test_swept);
    return suite;
}
