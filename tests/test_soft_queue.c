/* SPDX-License-Identifier: MIT
 *
 * test_soft_queue.c - the queue of the waiters for a soft lock: its order, and that no waiter blocks the others.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "storm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Starts a peer that waits for the lock, in the queue. */
static struct peer *waiting(const char *path, unsigned flags, int64_t timeout_ms)
{
    struct peer *peer = peer_with(soft_kind(), path, flags);
    int before = places_at(path);
    peer_send(peer, "acquire a exclusive %lld", (long long) timeout_ms);
    EVENTUALLY(places_at(path) == before + 1);
    return peer;
}

static struct filelock *held(const char *path)
{
    struct filelock *lock = new_soft(path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return lock;
}

static void release(struct filelock *lock)
{
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}

static void expect_turn(struct peer *peer)
{
    PEER_ANSWERS(peer, "0");
    PEER_SAYS(peer, "0", "release a");
}

/* ---- Order -------------------------------------------------------------------------------------- */

enum { WAITERS = 7, ROUNDS = 3 };

/* A waiter that does not look for this long may be overtaken, because it may be stopped. */
#define PATIENCE_OF_WAITERS_MS 400

/* Returns the number of the waiter that has the lock, or -1.  had: the waiters that have had it. */
static int next_of(struct peer *const *peers, int count, const int *had)
{
    for (int i = 0; i < count; i++)
        if (!had[i] && !peer_silent(peers[i]))
            return i;
    return -1;
}

/* The lock is granted in the order in which the waits began, whatever the order of the markers' watchers. */
START_TEST(test_order)
{
    NEEDS_QUEUE();
    for (int round = 0; round < ROUNDS; round++) {
        struct peer *peers[WAITERS];
        int had[WAITERS] = { 0 };
        struct filelock *lock = held(scratch("lock"));
        for (int i = 0; i < WAITERS; i++)
            peers[i] = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
        release(lock);
        for (int i = 0; i < WAITERS; i++) {
            int next;
            int64_t since = now_ns();
            EVENTUALLY((next = next_of(peers, WAITERS, had)) >= 0);
            int waited_ms = (int) ((now_ns() - since) / 1000000);
            if (next != i && waited_ms > PATIENCE_OF_WAITERS_MS) {
                peers_end();
                SKIP("the waiters did not look for %d ms", waited_ms);
            }
            ck_assert_msg(next == i, "round %d: waiter %d has the lock before waiter %d", round, next, i);
            had[i] = 1;
            expect_turn(peers[i]);
        }
        peers_end();
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/* A waiter that comes while others move on from one marker to the next is behind them all. */
START_TEST(test_late_waiter)
{
    NEEDS_QUEUE();
    struct filelock *lock = held(scratch("lock"));
    struct peer *first = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    struct peer *second = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    struct peer *third = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    release(lock);
    PEER_ANSWERS(first, "0");
    EVENTUALLY(places_at(scratch("lock")) >= 1); /* the second waiter is at the new marker */
    struct peer *late = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    PEER_SAYS(first, "0", "release a");
    PEER_ANSWERS(second, "0");
    EVENTUALLY(places_at(scratch("lock")) == 2); /* the third waiter and the late waiter, in any order */
    ck_assert(peer_silent(late) && peer_silent(third));
    PEER_SAYS(second, "0", "release a");
    expect_turn(third);
    expect_turn(late);
}
END_TEST

/* ---- A waiter that does not go on ----------------------------------------------------------------- */

static void kill_waiter(struct peer *peer)
{
    peer_kill(peer);
}

static void stop_waiter(struct peer *peer)
{
    kill((pid_t) peer_pid(peer), SIGSTOP);
}

static void leave_waiter(struct peer *peer)
{
    (void) peer;
}

static const struct failing {
    const char *how;
    int64_t timeout_ms;
    void (*act)(struct peer *peer);
    int stays;
} failings[] = {
    { "killed", FILELOCK_FOREVER, kill_waiter, 0 },
    { "stopped", FILELOCK_FOREVER, stop_waiter, 1 },
    { "timed out", 300, leave_waiter, 0 },
};

/* Whatever becomes of an earlier waiter, the later waiters get the lock.  first: the failing waiter is the first. */
static void expect_others_go_on(const struct failing *failing, int first)
{
    struct filelock *lock = held(scratch("lock"));
    struct peer *peers[3];
    int had[3] = { 0 }, next;
    for (int i = 0; i < 3; i++)
        peers[i] = waiting(scratch("lock"), 0, i == !first ? failing->timeout_ms : FILELOCK_FOREVER);
    struct peer *failed = peers[!first];
    failing->act(failed);
    if (failing->timeout_ms > 0)
        PEER_ANSWERS(failed, "-ETIMEDOUT");
    if (!failing->stays)
        EVENTUALLY(places_at(scratch("lock")) == 2);
    release(lock);
    had[!first] = 1;
    for (int i = 0; i < 2; i++) {
        EVENTUALLY((next = next_of(peers, 3, had)) >= 0); /* no order is kept behind a stopped waiter */
        had[next] = 1;
        expect_turn(peers[next]);
    }
    if (failing->stays) {
        kill((pid_t) peer_pid(failed), SIGCONT);
        expect_turn(failed);
    }
    peers_end();
    expect_nothing_at(scratch("lock"));
}

START_TEST(test_failing)
{
    NEEDS_QUEUE();
    expect_others_go_on(&failings[_i], 1);
    expect_others_go_on(&failings[_i], 0);
}
END_TEST

/* A later waiter is cancelled, and leaves no place behind. */
START_TEST(test_cancelled)
{
    NEEDS_QUEUE();
    struct signal_pair pair;
    static struct caller caller;
    struct filelock *lock = held(scratch("lock"));
    struct peer *first = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    waitable_open(&pair);
    struct filelock_options options = options_of(soft_kind());
    options.cancel = pair.waitable;
    struct filelock *later = new_lock_with(&options, scratch("lock"));
    caller_start(&caller);
    begin_acquire(&caller, later, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    EVENTUALLY(places_at(scratch("lock")) == 2);
    wait_for_sleep(&caller);
    waitable_set(&pair);
    EXPECT(end_call(&caller), -ECANCELED);
    ck_assert_int_eq(places_at(scratch("lock")), 1);
    caller_end(&caller);
    filelock_free(later);
    waitable_close(&pair);
    release(lock);
    expect_turn(first);
}
END_TEST

/* ---- Threads of a process ------------------------------------------------------------------------- */

enum { THREADS = 6, FIRST = 0, MIDDLE = 3 };

struct standing {
    struct caller caller;
    struct filelock *lock;
};

static void stand(struct standing *standing, unsigned flags, int64_t timeout_ms)
{
    standing->lock = new_soft(scratch("lock"), flags);
    caller_start(&standing->caller);
    begin_acquire(&standing->caller, standing->lock, FILELOCK_EXCLUSIVE, timeout_ms);
    wait_for_sleep(&standing->caller);
}

static void go(struct standing *standing)
{
    caller_end(&standing->caller);
    filelock_free(standing->lock);
}

static int instances(void)
{
    char link[64], name[64];
    int count = 0;
    for (int fd = 3; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, name, sizeof name - 1);
        name[n > 0 ? n : 0] = '\0';
        count += !strcmp(name, "anon_inode:inotify");
    }
    return count;
}

/* One of the threads that wait for a marker watches it, and is in the queue.  A thread whose time is up leaves the line. */
START_TEST(test_threads_in_line)
{
    NEEDS_QUEUE();
    static struct standing threads[THREADS];
    struct peer *holder = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    for (int i = 0; i < THREADS; i++)
        stand(&threads[i], 0, i == FIRST || i == MIDDLE ? 500 : FILELOCK_FOREVER);
    ck_assert_int_eq(places_at(scratch("lock")), 1);
    ck_assert_int_eq(instances(), 1);
    EXPECT(end_call(&threads[FIRST].caller), -ETIMEDOUT);
    EXPECT(end_call(&threads[MIDDLE].caller), -ETIMEDOUT);
    EVENTUALLY(places_at(scratch("lock")) == 1);
    PEER_SAYS(holder, "0", "release a");
    for (int i = 0; i < THREADS; i++) {
        if (i != FIRST && i != MIDDLE) {
            EXPECT(end_call(&threads[i].caller), 0);
            EXPECT(caller_call(&threads[i].caller, CALL_RELEASE, threads[i].lock), 0);
        }
        go(&threads[i]);
    }
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* A thread that stands in line is before a process whose wait began later. */
START_TEST(test_thread_before_process)
{
    NEEDS_QUEUE();
    static struct standing first, second;
    struct filelock *lock = held(scratch("lock"));
    stand(&first, 0, FILELOCK_FOREVER);
    stand(&second, 0, FILELOCK_FOREVER);
    struct peer *late = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    release(lock);
    EXPECT(end_call(&first.caller), 0);
    EVENTUALLY(places_at(scratch("lock")) == 2); /* both are at the new marker */
    EXPECT(caller_call(&first.caller, CALL_RELEASE, first.lock), 0);
    EXPECT(end_call(&second.caller), 0);
    ck_assert(peer_silent(late));
    EXPECT(caller_call(&second.caller, CALL_RELEASE, second.lock), 0);
    expect_turn(late);
    go(&first);
    go(&second);
}
END_TEST

/* A thread that stands in line notices that its path leads elsewhere. */
START_TEST(test_thread_that_is_led_elsewhere)
{
    NEEDS_QUEUE();
    static struct standing first, second;
    struct filelock *lock = held(scratch("lock"));
    stand(&first, 0, FILELOCK_FOREVER);
    ck_assert_int_eq(symlink("lock", scratch("link")), 0);
    second.lock = new_soft(scratch("link"), FILELOCK_FOLLOW_SYMLINK);
    caller_start(&second.caller);
    begin_acquire(&second.caller, second.lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&second.caller);
    ck_assert_int_eq(symlink("free", scratch("new")), 0);
    ck_assert_int_eq(rename(scratch("new"), scratch("link")), 0);
    EXPECT(end_call(&second.caller), 0);
    ck_assert(path_exists(scratch("free")));
    EXPECT(caller_call(&second.caller, CALL_RELEASE, second.lock), 0);
    release(lock);
    EXPECT(end_call(&first.caller), 0);
    EXPECT(caller_call(&first.caller, CALL_RELEASE, first.lock), 0);
    go(&first);
    go(&second);
}
END_TEST

/* A thread that must not break the marker of a dead process does not stand in the way of one that may. */
START_TEST(test_thread_that_never_breaks)
{
    NEEDS_QUEUE();
    static struct standing never, other;
    struct peer *holder = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    stand(&never, FILELOCK_NEVER_BREAK, FILELOCK_FOREVER);
    stand(&other, 0, FILELOCK_FOREVER);
    peer_kill(holder);
    EXPECT(end_call(&other.caller), 0);
    EXPECT(caller_call(&other.caller, CALL_RELEASE, other.lock), 0);
    EXPECT(end_call(&never.caller), 0);
    EXPECT(caller_call(&never.caller, CALL_RELEASE, never.lock), 0);
    go(&never);
    go(&other);
}
END_TEST

/* ---- Markers without a queue ---------------------------------------------------------------------- */

/*
 * The marker of a living process turns into a marker without a record.  No waiter may have it open for writing then: it
 * would seem to be its maker.
 */
START_TEST(test_emptied_marker)
{
    NEEDS_QUEUE();
    if (!sees_all_openers())
        SKIP("wants the initial pid namespace");
    struct peer *owner = peer_start();
    put_marker(scratch("lock"), marker_record(peer_pid(owner)));
    struct peer *one = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    struct peer *other = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    ck_assert_int_eq(truncate(scratch("lock"), 0), 0);
    EVENTUALLY(!peer_silent(one) || !peer_silent(other)); /* both contend, and any of them may be next */
    int first = !peer_silent(one);
    expect_turn(first ? one : other);
    expect_turn(first ? other : one);
}
END_TEST

/* A waiter that must not break the marker of a dead process lets the others pass. */
START_TEST(test_never_break)
{
    NEEDS_QUEUE();
    struct peer *owner = peer_start();
    put_marker(scratch("lock"), marker_record(peer_pid(owner)));
    struct peer *patient = waiting(scratch("lock"), FILELOCK_NEVER_BREAK, FILELOCK_FOREVER);
    peer_kill(owner);
    EVENTUALLY(places_at(scratch("lock")) == 0);
    ck_assert(peer_silent(patient));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    expect_turn(patient);
}
END_TEST

/* A user who may not write the marker waits for it all the same. */
START_TEST(test_no_place)
{
    NEEDS_QUEUE();
    NEEDS_ROOT();
    struct filelock_options options = options_of(soft_kind());
    options.file_mode = 0444;
    open_scratch();
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t pid = fork();
    if (pid == 0) {
        become_nobody();
        _exit(-try_soft(scratch("lock"), PATIENCE_MS));
    }
    nap_ms(20);
    ck_assert_int_eq(places_at(scratch("lock")), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS), 0);
    filelock_free(lock);
}
END_TEST

/* ---- The descriptor of a place -------------------------------------------------------------------- */

/* Returns how many descriptors of the marker this process has for writing, and stores the last of them. */
static int places_open(const char *path, int *number)
{
    struct stat marker, status;
    int count = 0;
    if (stat(path, &marker) != 0)
        return -1;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &status) == 0 && status.st_dev == marker.st_dev && status.st_ino == marker.st_ino &&
            (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
            count++;
            *number = fd;
        }
    return count;
}

/* A child that is forked during a wait has no copy of the place, and so does not keep it. */
START_TEST(test_fork)
{
    NEEDS_QUEUE();
    NEEDS_FORK_BESIDE_THREADS();
    static struct caller caller;
    int fd = -1, ends[2];
    int *looked = shared_memory(sizeof *looked);
    struct peer *holder = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    EVENTUALLY(places_at(scratch("lock")) == 1);
    wait_for_sleep(&caller);
    ck_assert_int_eq(places_open(scratch("lock"), &fd), 1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        *looked = 1 + places_open(scratch("lock"), &fd);
        _exit(read(ends[0], &byte, 1) != 0); /* stays until the waiter has had its turn */
    }
    close(ends[0]);
    EVENTUALLY(*(volatile int *) looked != 0);
    ck_assert_int_eq(*looked, 1);
    struct peer *second = waiting(scratch("lock"), 0, FILELOCK_FOREVER);
    PEER_SAYS(holder, "0", "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    expect_turn(second);
    close(ends[1]);
    EXPECT(process_wait(&(struct process) { child, -1, -1 }, PATIENCE_MS), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A place whose number the program has given to a file of its own is forgotten, and that file is left alone. */
START_TEST(test_number_of_program)
{
    NEEDS_QUEUE();
    if (UNDER_TSAN)
        SKIP("the sanitizer takes another thread's descriptors for data of that thread");
    static struct caller caller;
    int fd = -1;
    struct stat own_status, status;
    struct filelock *holder = held(scratch("lock")), *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    EVENTUALLY(places_at(scratch("lock")) == 1);
    wait_for_sleep(&caller);
    ck_assert_int_eq(places_open(scratch("lock"), &fd), 1);
    int own = open(scratch("own"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_eq(dup2(own, fd), fd);
    EXPECT(filelock_release(holder), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
    filelock_free(holder);
    ck_assert_int_eq(fstat(own, &own_status), 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert(status.st_ino == own_status.st_ino);
    close(own);
    close(fd);
}
END_TEST

/* ---- Suite ---------------------------------------------------------------------------------------- */

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, queue");
    TCase *tcase = add_case(suite, "order");
    tcase_add_test(tcase, test_order);
    tcase_add_test(tcase, test_late_waiter);
    tcase = add_case(suite, "others");
    tcase_add_loop_test(tcase, test_failing, 0, (int) (sizeof failings / sizeof *failings));
    tcase_add_test(tcase, test_cancelled);
    tcase = add_case(suite, "threads");
    tcase_add_test(tcase, test_threads_in_line);
    tcase_add_test(tcase, test_thread_before_process);
    tcase_add_test(tcase, test_thread_that_is_led_elsewhere);
    tcase_add_test(tcase, test_thread_that_never_breaks);
    tcase = add_case(suite, "markers");
    tcase_add_test(tcase, test_emptied_marker);
    tcase_add_test(tcase, test_never_break);
    tcase_add_test(tcase, test_no_place);
    tcase = add_case(suite, "descriptors");
    tcase_add_test(tcase, test_fork);
    tcase_add_test(tcase, test_number_of_program);
    return suite;
}
