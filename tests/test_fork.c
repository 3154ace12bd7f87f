/* SPDX-License-Identifier: MIT
 *
 * test_fork.c - a child never holds, unlocks, keeps alive or removes its parent's lock, unless the handle has
 * FILELOCK_FORK_SHARE.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Starts a peer that holds its handle "a" `depth` deep. */
static struct peer *holding(const struct kind *kind, unsigned flags, int depth)
{
    struct peer *parent = peer_with(kind, scratch("lock"), flags);
    for (int i = 0; i < depth; i++)
        PEER_SAYS(parent, "0", "acquire a exclusive 0");
    return parent;
}

/* Starts a peer whose thread "w" waits for the lock that another process holds. */
static struct peer *waiting(const struct kind *kind, int timeout_ms)
{
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "on w acquire a exclusive %d", timeout_ms);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(parent, "1", "asleep w");
    return parent;
}

static void expect_nothing_inherited(struct peer *child)
{
    PEER_SAYS(child, "0", "held a");
    PEER_SAYS(child, "0", "depth a");
    PEER_SAYS(child, "none", "fd a");
    PEER_SAYS(child, "-EPERM", "check a");
    PEER_SAYS(child, "-EPERM", "release a");
    PEER_SAYS(child, "-EPERM", "release_all a");
    PEER_SAYS(child, "0", "descriptors %s", scratch("lock"));
}

/* Has the child do what it is told, which may be to end, and returns when it has done that. */
static void see_out(struct peer *parent, struct peer *child, const char *order)
{
    peer_send(child, "%s", order);
    if (strcmp(order, "exit 0") == 0)
        PEER_SAYS(parent, "0", "reap %lld", (long long) peer_pid(child));
    else
        PEER_ANSWERS(child, "0");
}

START_TEST(test_child_of_holder)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    struct peer *parent = holding(kind, 0, 2);
    struct peer *child = peer_fork(parent, NULL);
    expect_nothing_inherited(child);
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 20");
    PEER_SAYS(parent, "1", "held a");
    PEER_SAYS(parent, "2", "depth a");
    expect_taken(kind, scratch("lock"));
    PEER_SAYS(parent, "0", "release_all a");
    PEER_SAYS(child, "0", "acquire a exclusive 0");
    PEER_SAYS(parent, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(child, "0", "release a");
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "check a");
}
END_TEST

/* Also with FOREVER: the parent's hold is not the child's own, so the wait is no deadlock. */
START_TEST(test_child_waits_for_parent)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (int i = 0; i < 2; i++) {
        struct peer *parent = holding(kind, 0, 1);
        struct peer *child = peer_fork(parent, NULL);
        peer_send(child, "acquire a exclusive %d", i ? PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), 1);
        ck_assert(peer_silent(child));
        PEER_SAYS(parent, "0", "release a");
        PEER_ANSWERS(child, "0");
        PEER_SAYS(parent, "-ETIMEDOUT", "acquire a exclusive 0");
        peer_end(child);
        expect_free_soon(kind, scratch("lock"));
        peer_end(parent);
    }
}
END_TEST

START_TEST(test_child_frees_and_ends)
{
    static const char *const ends[] = { "free a", "exit 0" };
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (unsigned flags = 0; flags <= FILELOCK_UNLINK; flags += FILELOCK_UNLINK)
        for (int i = 0; i < 2; i++) {
            struct peer *parent = holding(kind, flags, 1);
            struct peer *child = peer_fork(parent, NULL);
            see_out(parent, child, ends[i]);
            expect_taken(kind, scratch("lock"));
            PEER_SAYS(parent, "0", "check a");
            PEER_SAYS(parent, "1", "held a");
            PEER_SAYS(parent, "0", "release a");
            expect_free(kind, scratch("lock"));
            peer_end(parent);
        }
}
END_TEST

/* A dead parent's lock is free, even while its children live. */
START_TEST(test_parent_killed)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (int waiting = 0; waiting < 2; waiting++) {
        struct peer *parent = holding(kind, 0, 1);
        struct peer *child = peer_fork(parent, NULL), *waiter = NULL;
        if (waiting) {
            waiter = peer_with(kind, scratch("lock"), 0);
            peer_send(waiter, "acquire a exclusive -1");
            wait_for_queue(kind, scratch("lock"), 1);
        }
        peer_kill(parent);
        if (waiting)
            PEER_ANSWERS(waiter, "0");
        else
            expect_free_soon(kind, scratch("lock"));
        PEER_SAYS(child, "pong", "ping"); /* alive throughout */
        peer_end(child);
        if (waiter)
            peer_end(waiter);
    }
}
END_TEST

/*
 * A handle at rest keeps a descriptor open, and the child must not keep it: the parent's next lock would be the child's
 * too.
 */
START_TEST(test_forked_at_rest)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (int shares = 0; shares < 2; shares++) {
        struct peer *parent = holding(kind, shares ? FORK_SHARE_OF(kind) : 0, 1);
        PEER_SAYS(parent, "0", "release a");
        struct peer *child = peer_fork(parent, NULL);
        PEER_SAYS(child, "0", "descriptors %s", scratch("lock"));
        PEER_SAYS(parent, "0", "acquire a exclusive 0");
        expect_nothing_inherited(child);
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        peer_kill(parent);
        expect_free_soon(kind, scratch("lock"));
        PEER_SAYS(child, "0", "acquire a exclusive 0");
        expect_taken(kind, scratch("lock"));
        peer_end(child);
        expect_free_soon(kind, scratch("lock"));
    }
}
END_TEST

START_TEST(test_forked_before_first_acquire)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    struct peer *child = peer_fork(parent, NULL);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "release a");
    PEER_SAYS(child, "0", "acquire a exclusive 0");
    PEER_SAYS(child, "0", "free a");
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
}
END_TEST

START_TEST(test_shared_mode)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    NEEDS(kind, CAN_SHARE);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "acquire a shared 0");
    struct peer *child = peer_fork(parent, NULL);
    expect_nothing_inherited(child);
    PEER_SAYS(child, "0", "acquire a shared 0");
    PEER_SAYS(parent, "0", "release a");
    expect_taken(kind, scratch("lock")); /* held by the child's own lock */
    PEER_SAYS(child, "0", "release a");
    expect_free(kind, scratch("lock"));
}
END_TEST

START_TEST(test_grandchild)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    struct peer *parent = holding(kind, 0, 1);
    struct peer *child = peer_fork(parent, NULL);
    struct peer *grandchild = peer_fork(child, NULL);
    expect_nothing_inherited(grandchild);
    PEER_SAYS(grandchild, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "release a");
    PEER_SAYS(child, "0", "acquire a exclusive 0");
    struct peer *another = peer_fork(child, NULL);
    expect_nothing_inherited(another);
    PEER_SAYS(another, "-ETIMEDOUT", "acquire a exclusive 0");
    peer_kill(child);
    expect_free_soon(kind, scratch("lock"));
    PEER_SAYS(grandchild, "0", "acquire a exclusive 0");
    PEER_SAYS(another, "-ETIMEDOUT", "acquire a exclusive 0");
}
END_TEST

/* ---- Threads --------------------------------------------------------------------------------- */

/* The lock is held by a thread other than the thread that forks. */
START_TEST(test_thread_holds)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (unsigned flags = 0; flags <= FILELOCK_ANY_THREAD; flags += FILELOCK_ANY_THREAD) {
        struct peer *parent = peer_with(kind, scratch("lock"), flags);
        PEER_SAYS(parent, "0", "on w acquire a exclusive 0");
        PEER_SAYS(parent, "0", "answer w");
        struct peer *child = peer_fork(parent, NULL);
        expect_nothing_inherited(child);
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        expect_taken(kind, scratch("lock"));
        peer_kill(parent);
        expect_free_soon(kind, scratch("lock"));
        PEER_SAYS(child, "0", "acquire a exclusive 0");
        peer_kill(child);
        expect_free_soon(kind, scratch("lock"));
    }
}
END_TEST

/* A thread that holds nothing forks, while another thread of its process waits for another process's lock. */
START_TEST(test_thread_waits)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (int finite = 0; finite < 2; finite++) {
        struct peer *holder = holding(kind, 0, 1);
        struct peer *parent = waiting(kind, finite ? PATIENCE_MS : -1);
        struct peer *child = peer_fork(parent, NULL);
        expect_nothing_inherited(child);
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        if (UNDER_TSAN)
            say_skipped(__func__, "ThreadSanitizer knows no thread in the child of a process with threads");
        else if (getenv("FILELOCK_TEST_EMULATOR")) /* qemu-user aborts */
            say_skipped(__func__, "the emulator starts no thread in the child of a process with threads");
        else
            PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 20");
        PEER_SAYS(holder, "0", "release a");
        PEER_SAYS(parent, "0", "answer w"); /* the thread's wait was not disturbed */
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        peer_kill(parent);
        expect_free_soon(kind, scratch("lock"));
        PEER_SAYS(child, "0", "acquire a exclusive 0");
        peer_kill(child);
        peer_end(holder);
    }
}
END_TEST

/* The parent is killed while it waits, and while its child lives: nothing of its wait is left. */
START_TEST(test_waiting_parent_killed)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    for (int finite = 0; finite < 2; finite++) {
        struct peer *holder = holding(kind, 0, 1);
        struct peer *parent = waiting(kind, finite ? PATIENCE_MS : -1);
        struct peer *child = peer_fork(parent, NULL);
        peer_kill(parent);
        wait_for_queue(kind, scratch("lock"), 0);
        PEER_SAYS(holder, "0", "release a");
        expect_free_soon(kind, scratch("lock"));
        PEER_SAYS(child, "0", "acquire a exclusive 0");
        peer_kill(child);
        peer_end(holder);
    }
}
END_TEST

/* The thread that holds the lock forks, while another thread waits for its turn on the handle. */
START_TEST(test_thread_forks)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "on w acquire a exclusive 0");
    PEER_SAYS(parent, "0", "answer w");
    PEER_SAYS(parent, "0", "on x acquire a exclusive -1");
    PEER_SAYS(parent, "1", "asleep x");
    struct peer *child = peer_fork(parent, "w");
    expect_nothing_inherited(child);
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "on w release a");
    PEER_SAYS(parent, "0", "answer w");
    PEER_SAYS(parent, "0", "answer x");
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "end x"); /* the end of the thread releases */
    PEER_SAYS(child, "0", "acquire a exclusive 0");
}
END_TEST

/* Forks at any moment of acquires and releases: no child keeps anything, and none gets stuck. */
static void storm(const struct kind *kind, const char *other)
{
    int forks = scaled(200, 10);
    char all[16];
    snprintf(all, sizeof all, "%d -", forks);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "new b kind=%d path=%s", kind->kind, scratch("lock"));
    PEER_SAYS(parent, all, "storm a %s %d %s", other, forks, kind->can & CAN_QUEUE ? "descriptors" : "");
    process_kill(&(struct process) { peer_pid(parent), -1, -1 });
    expect_free_soon(kind, scratch("lock"));
    ck_assert_msg(peer_silent(parent), "the children ended"); /* they hold its output open, so they live */
    peer_kill(parent);
}

/* If another thread has one of qemu-user's own locks at the fork, the lock stays taken for ever in the child. */
#define NEEDS_FORKS_AT_ANY_MOMENT()                                                         \
    do {                                                                                    \
        if (getenv("FILELOCK_TEST_EMULATOR"))                                               \
            SKIP("the emulator may hang in the child of a process whose threads are busy"); \
    } while (0)

START_TEST(test_storm_two_handles)
{
    NEEDS_FORK_OF_HOLDER(kind_at(_i));
    NEEDS_FORKS_AT_ANY_MOMENT();
    storm(kind_at(_i), "b");
}
END_TEST

START_TEST(test_storm_one_handle)
{
    NEEDS_FORK_OF_HOLDER(kind_at(_i));
    NEEDS_FORKS_AT_ANY_MOMENT();
    storm(kind_at(_i), "a");
}
END_TEST

enum { OPENERS = 4 };

static struct opener {
    const struct kind *kind;
    char path[2048];
    int ends;
} openers[OPENERS];

static void *open_again_and_again(void *arg)
{
    struct opener *opener = arg;
    while (!__atomic_load_n(&opener->ends, __ATOMIC_SEQ_CST)) {
        struct filelock *lock = new_lock(opener->kind, opener->path, 0);
        filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        filelock_free(lock);
    }
    return NULL;
}

/*
 * Counts the open descriptors below 64 only, which is quick: the more forks there are in a row, the more of them meet
 * an opener.
 */
static int low_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

static int child_has_more(int descriptors)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(low_descriptors() > descriptors);
    waitpid(child, &status, 0); /* does not nap, which would let the openers finish too */
    return status != 0;
}

/*
 * Forks while other threads open and close lock files: a child has none of them open.  A fork cannot wait for a thread
 * that the system suspends while it opens a file.  So a few exceptions are allowed, for a busy machine.
 */
START_TEST(test_fresh_handles)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    NEEDS_FORKS_AT_ANY_MOMENT();
    if (UNDER_TSAN)
        SKIP("a child of a process with threads is too much for ThreadSanitizer");
    if (under_valgrind())
        SKIP("what threads had that are not in the child is a leak to valgrind");
    pthread_t threads[OPENERS];
    int forks = scaled(200, 20), leaks = 0, descriptors = low_descriptors();
    for (int i = 0; i < OPENERS; i++) {
        openers[i].kind = kind;
        snprintf(openers[i].path, sizeof openers[i].path, "%s%d", scratch("lock"), i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, open_again_and_again, &openers[i]), 0);
    }
    for (int i = 0; i < forks; i++)
        leaks += child_has_more(descriptors);
    for (int i = 0; i < OPENERS; i++)
        __atomic_store_n(&openers[i].ends, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < OPENERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_msg(leaks <= 1 + forks / 10, "%d of %d children have a lock file open", leaks, forks);
}
END_TEST

/* ---- FILELOCK_FORK_SHARE ---------------------------------------------------------------------- */

START_TEST(test_share)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    struct peer *parent = holding(kind, FILELOCK_FORK_SHARE, 2);
    struct peer *child = peer_fork(parent, NULL);
    PEER_SAYS(child, "1", "held a");
    PEER_SAYS(child, "2", "depth a");
    PEER_SAYS(child, "0", "check a");
    PEER_SAYS(child, "0", "acquire a exclusive -1");
    PEER_SAYS(child, "3", "depth a");
    PEER_SAYS(parent, "2", "depth a");
    expect_taken(kind, scratch("lock"));
    PEER_SAYS(parent, "0", "release_all a");
    PEER_SAYS(parent, "0", "held a");
    expect_taken(kind, scratch("lock"));
    PEER_SAYS(parent, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(child, "1", "held a");
    PEER_SAYS(child, "0", "release_all a");
    PEER_SAYS(child, "-EPERM", "release a");
    expect_free(kind, scratch("lock"));
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
}
END_TEST

START_TEST(test_share_child_first)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    static const char *const ends[] = { "release a", "free a", "exit 0" };
    for (int i = 0; i < 3; i++) {
        struct peer *parent = holding(kind, FILELOCK_FORK_SHARE, 1);
        struct peer *child = peer_fork(parent, NULL);
        see_out(parent, child, ends[i]);
        expect_taken(kind, scratch("lock"));
        PEER_SAYS(parent, "1", "held a");
        PEER_SAYS(parent, "0", "release a");
        expect_free(kind, scratch("lock"));
        peer_end(parent);
    }
}
END_TEST

/* A daemon inherits a lock through two forks, and then its ancestors leave, in every way there is. */
START_TEST(test_daemon)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    static const char *const ends[] = { "exit 0", "free a", "release a", "kill" };
    for (int i = 0; i < 4; i++) {
        struct peer *parent = holding(kind, FILELOCK_FORK_SHARE, 1);
        struct peer *middle = peer_fork(parent, NULL);
        struct peer *daemon = peer_fork(middle, NULL);
        struct peer *ancestors[] = { middle, parent };
        for (int j = 0; j < 2; j++)
            if (i == 3) {
                peer_kill(ancestors[j]);
            } else {
                peer_send(ancestors[j], "%s", ends[i]);
                if (i > 0)
                    PEER_ANSWERS(ancestors[j], "0");
                peer_end(ancestors[j]);
            }
        PEER_SAYS(daemon, "1", "held a");
        PEER_SAYS(daemon, "0", "check a");
        expect_taken(kind, scratch("lock"));
        PEER_SAYS(daemon, "0", "release a");
        PEER_SAYS(daemon, "0", "held a");
        expect_free(kind, scratch("lock"));
        PEER_SAYS(daemon, "0", "acquire a exclusive 0");
        peer_kill(daemon);
        expect_free_soon(kind, scratch("lock"));
    }
}
END_TEST

START_TEST(test_share_unlink)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    struct peer *parent = holding(kind, FILELOCK_FORK_SHARE | FILELOCK_UNLINK, 1);
    struct peer *child = peer_fork(parent, NULL);
    uint64_t identity = file_identity(scratch("lock"));
    PEER_SAYS(parent, "0", "release a");
    ck_assert_msg(file_identity(scratch("lock")) == identity, "removed while the child holds it");
    PEER_SAYS(child, "0", "check a");
    PEER_SAYS(child, "0", "release a");
    ck_assert_msg(!path_exists(scratch("lock")), "the last holder left it");
}
END_TEST

static void expect_owner(const struct kind *kind, int64_t pid)
{
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, pid);
    ck_assert_int_eq(owner.alive, 1);
    filelock_free(lock);
}

/* Forks a child that has the file open, and closes the test's own copy.  The child runs until it is killed. */
static pid_t hand_over_to_child(int fd)
{
    pid_t pid = fork();
    while (pid == 0)
        pause();
    close(fd);
    return pid;
}

/*
 * Forks a child that takes the lock through the test's descriptor.  Then it ends, or if `stays`, closes its copy and
 * runs on.
 */
static pid_t take_in_child(const struct kind *kind, int fd, int stays)
{
    int ends[2];
    char byte = 0;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct filelock_options options = options_of(kind);
        struct filelock *lock = NULL;
        byte = filelock_new_from_fd(&lock, fd, &options) == 0 &&
               filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) == 0;
        close(fd);
        write_all(ends[1], &byte, 1);
        while (stays)
            pause();
        _exit(0);
    }
    ck_assert_int_eq(read_some(ends[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    close(ends[0]);
    close(ends[1]);
    if (!stays)
        process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS);
    return pid;
}

/* The owner is the process that has the lock, although the process that took it has ended or has closed the file. */
START_TEST(test_holder_is_not_taker)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_FD | CAN_TELL_HOLDER);
    for (int stays = 0; stays < 2; stays++) {
        int fd = open_fd(scratch("lock"));
        pid_t taker = take_in_child(kind, fd, stays);
        expect_owner(kind, own_pid());
        pid_t holder = hand_over_to_child(fd);
        expect_owner(kind, holder);
        kill(holder, SIGKILL);
        if (stays)
            kill(taker, SIGKILL);
        process_wait(&(struct process) { holder, -1, -1 }, PATIENCE_MS);
        expect_free_soon(kind, scratch("lock"));
    }
}
END_TEST

/*
 * Where the holder's files are hidden, the owner is the process that took the lock, and it is reported to have ended.
 */
START_TEST(test_hidden_holder)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_FD | CAN_TELL_HOLDER);
    if (kind->kind != FILELOCK_KIND_FLOCK)
        SKIP("the system does not tell the process that has taken a lock");
    NEEDS_ROOT();
    char said[4096];
    struct filelock_owner owner = { sizeof owner, 0, 0, 0, "", "" };
    int fd = open_fd(scratch("lock"));
    open_scratch();
    ck_assert_int_eq(chmod(scratch("lock"), 0666), 0);
    pid_t taker = take_in_child(kind, fd, 0);
    pid_t holder = hand_over_to_child(fd);
    become_nobody();
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, taker);
    ck_assert_int_eq(owner.alive, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    filelock_describe(lock, -ETIMEDOUT, said, sizeof said);
    ck_assert_msg(strstr(said, "taken by pid ") && strstr(said, ", which has ended"), "%s", said);
    filelock_free(lock);
    (void) holder; /* it ends with the test's process group */
}
END_TEST

/* The record names the child that was forked last.  A process that releases hands the record back to another holder. */
START_TEST(test_share_record)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    NEEDS(kind, CAN_KEEP_FILE);
    struct peer *parent = holding(kind, FILELOCK_FORK_SHARE | FILELOCK_RECORD_OWNER, 1);
    expect_contents(scratch("lock"), marker_record(peer_pid(parent)));
    struct peer *child = peer_fork(parent, NULL);
    expect_contents(scratch("lock"), marker_record(peer_pid(child)));
    PEER_SAYS(child, "0", "release a");
    expect_contents(scratch("lock"), marker_record(peer_pid(parent)));
    struct peer *daemon = peer_fork(parent, NULL);
    expect_contents(scratch("lock"), marker_record(peer_pid(daemon)));
    peer_end(parent);
    expect_contents(scratch("lock"), marker_record(peer_pid(daemon)));
    expect_owner(kind, peer_pid(daemon));
    PEER_SAYS(daemon, "0", "release a");
    expect_contents(scratch("lock"), "");
    expect_free(kind, scratch("lock"));
}
END_TEST

/* If there are several children, a process that releases hands the record to another holder. */
START_TEST(test_share_record_of_siblings)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    NEEDS(kind, CAN_KEEP_FILE | CAN_TELL_HOLDER);
    struct peer *parent = holding(kind, FILELOCK_FORK_SHARE | FILELOCK_RECORD_OWNER, 1);
    struct peer *first = peer_fork(parent, NULL), *second = peer_fork(parent, NULL);
    PEER_SAYS(parent, "0", "release a");
    expect_contents(scratch("lock"), marker_record(peer_pid(second)));
    PEER_SAYS(second, "0", "release a");
    expect_contents(scratch("lock"), marker_record(peer_pid(first)));
    expect_owner(kind, peer_pid(first));
    PEER_SAYS(first, "0", "release a");
    expect_contents(scratch("lock"), "");
    expect_free(kind, scratch("lock"));
}
END_TEST

/* A shared lock writes no record, and its release removes none. */
START_TEST(test_share_without_record)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    NEEDS(kind, CAN_SHARE | CAN_KEEP_FILE);
    put_marker(scratch("lock"), "contents");
    struct peer *parent = peer_with(kind, scratch("lock"), FILELOCK_FORK_SHARE | FILELOCK_RECORD_OWNER);
    PEER_SAYS(parent, "0", "acquire a shared 0");
    struct peer *child = peer_fork(parent, NULL);
    PEER_SAYS(child, "0", "release a");
    PEER_SAYS(parent, "0", "release a");
    expect_contents(scratch("lock"), "contents");
    expect_free(kind, scratch("lock"));
}
END_TEST

/*
 * The thread that forks is the only thread of the child.  Without FILELOCK_ANY_THREAD it could never release what
 * another thread holds.
 */
START_TEST(test_share_from_other_thread)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    struct peer *parent = peer_with(kind, scratch("lock"), FILELOCK_FORK_SHARE | FILELOCK_ANY_THREAD);
    PEER_SAYS(parent, "0", "on w acquire a exclusive 0");
    PEER_SAYS(parent, "0", "answer w");
    struct peer *child = peer_fork(parent, NULL);
    PEER_SAYS(child, "1", "held a");
    PEER_SAYS(parent, "0", "release a");
    expect_taken(kind, scratch("lock"));
    PEER_SAYS(child, "0", "release a");
    expect_free(kind, scratch("lock"));
}
END_TEST

/* ---- Descriptors that the caller opened -------------------------------------------------------- */

/* The child's copy of the descriptor is left to the caller, but the child's handle is not held. */
START_TEST(test_from_fd)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock")), pipe_ends[2];
    int answers[4] = { 9, 9, 9, 9 };
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    pid_t child = fork();
    if (child == 0) {
        answers[0] = filelock_held(lock);
        answers[1] = filelock_release(lock);
        answers[2] = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        filelock_free(lock);
        answers[3] = fd_is_open(fd);
        write_all(pipe_ends[1], answers, sizeof answers);
        _exit(0);
    }
    close(pipe_ends[1]);
    ck_assert_int_eq(read_some(pipe_ends[0], answers, sizeof answers), sizeof answers);
    close(pipe_ends[0]);
    ck_assert_int_eq(process_wait(&(struct process) { child, -1, -1 }, PATIENCE_MS), 0);
    EXPECT(answers[0], 0);
    EXPECT(answers[1], -EPERM);
    EXPECT(answers[2], -ETIMEDOUT);
    ck_assert_int_eq(answers[3], 1);
    ck_assert_int_eq(filelock_held(lock), 1);
    expect_taken(kind, scratch("lock"));
    filelock_free(lock);
    close(fd);
}
END_TEST

/*
 * A child with two threads.  The thread that forked ends when `ending` is closed, the other when `staying` is closed.
 */
struct family {
    int ending[2], staying[2];
    pid_t child;
};

static void *stay(void *arg)
{
    char none;
    _exit(read_some(((struct family *) arg)->staying[0], &none, 1) == 0 ? 0 : 1);
}

static void fork_and_end(void *arg)
{
    struct family *family = arg;
    pthread_t other;
    char none;
    family->child = fork();
    if (family->child != 0)
        return;
    close(family->ending[1]);
    close(family->staying[1]);
    if (pthread_create(&other, NULL, stay, family) != 0)
        _exit(1);
    read_some(family->ending[0], &none, 1);
    pthread_exit(NULL);
}

/* In the child the lock belongs to the thread that forked, and is released when this thread ends. */
START_TEST(test_share_forking_thread_ends)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FORK_SHARE);
    struct family family;
    struct worker worker;
    if (UNDER_TSAN)
        SKIP("ThreadSanitizer knows no thread in the child of a process with threads");
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_FORK_SHARE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(pipe(family.ending), 0);
    ck_assert_int_eq(pipe(family.staying), 0);
    ck_assert_int_eq(worker_start(&worker), 0);
    worker_send(&worker, fork_and_end, &family);
    worker_end(&worker);
    filelock_free(lock);
    expect_taken(kind, scratch("lock"));
    close(family.ending[1]);
    expect_free_soon(kind, scratch("lock"));
    close(family.staying[1]);
    ck_assert_int_eq(process_wait(&(struct process) { family.child, -1, -1 }, PATIENCE_MS), 0);
    close(family.ending[0]);
    close(family.staying[0]);
}
END_TEST

/* ---- A file server that hangs ------------------------------------------------------------------ */

static struct {
    struct worker worker;
    struct filelock *lock;
    int descriptor; /* of the lock file */
    int begun[2], end[2];
} slow;

/* Replaces close(2), for the library too.  A close of this descriptor takes until something is written to slow.end. */
int close(int fd)
{
    static int (*system_close)(int);
    static bool looked;
    char byte = 0;
    if (!looked) {
        union {
            void *data;
            int (*call)(int);
        } function = { dlsym(RTLD_NEXT, "close") };
        system_close = function.call;
        looked = true;
    }
    if (slow.lock && fd == slow.descriptor && pthread_equal(pthread_self(), slow.worker.thread)) {
        write_all(slow.begun[1], &byte, 1);
        read_some(slow.end[0], &byte, 1);
    }
    /* A static program has no other close(2). */
    return system_close ? system_close(fd) : (int) syscall(SYS_close, fd);
}

static void free_slowly(void *arg)
{
    (void) arg;
    filelock_free(slow.lock);
}

/* While a thread closes a lock file, another thread can make handles, lock, and fork; and no child keeps a copy. */
START_TEST(test_close_hangs)
{
    const struct kind *kind = kind_at(_i);
    char byte = 0;
    ck_assert_int_eq(pipe(slow.begun), 0);
    ck_assert_int_eq(pipe(slow.end), 0);
    ck_assert_int_eq(worker_start(&slow.worker), 0);
    slow.lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(slow.lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    slow.descriptor = filelock_fd(slow.lock);
    worker_send(&slow.worker, free_slowly, NULL);
    ck_assert_int_eq(read_some(slow.begun[0], &byte, 1), 1);
    expect_free(kind, scratch("other"));
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(slow.descriptor, F_GETFD) == -1 ? 0 : 1);
    ck_assert_int_eq(process_wait(&(struct process) { child, -1, -1 }, PATIENCE_MS), 0);
    write_all(slow.end[1], &byte, 1);
    worker_end(&slow.worker);
    slow.lock = NULL;
    for (int i = 0; i < 2; i++) {
        close(slow.begun[i]);
        close(slow.end[i]);
    }
}
END_TEST

/* ---- Little stack ----------------------------------------------------------------------------- */

/*
 * The smallest stack that a thread can have.  Under a sanitizer it is larger, because that needs room on the stack too.
 */
#if UNDER_TSAN || UNDER_ASAN
#define LITTLE_STACK 1048576
#else
#define LITTLE_STACK (PTHREAD_STACK_MIN > 16384 ? PTHREAD_STACK_MIN : 16384)
#endif

/* The thread notes what its calls return.  It does not check that, because checks need more stack. */
struct little {
    const struct kind *kind;
    const char *path;
    int acquired, refused, owned, shared, of_child, again, broken;
    size_t described;
    pid_t holder; /* the process that filelock_owner() names */
};

static struct filelock *little_lock(const struct little *little, const char *path)
{
    struct filelock_options options = options_of(little->kind);
    struct filelock *lock;
    options.flags |=
        FILELOCK_MAKE_PARENTS | FORK_SHARE_OF(little->kind) | FILELOCK_RECORD_OWNER | FILELOCK_FOLLOW_SYMLINK;
    if (filelock_new(&lock, path, &options) != 0)
        return NULL;
    keep_reachable(lock);
    return lock;
}

static void hold_together(struct little *little, struct filelock *lock)
{
    int go[2];
    char byte = 0;
    if (pipe(go) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        if (read(go[0], &byte, 1) < 0)
            _exit(99);
        _exit(-filelock_release(lock));
    }
    close(go[0]);
    little->shared = filelock_release(lock);
    close(go[1]);
    waitpid(child, &little->of_child, 0);
}

static void *use_little_stack(void *arg)
{
    struct little *little = arg;
    struct filelock_owner owner = { .size = sizeof owner };
    char text[64];
    struct filelock *lock = little_lock(little, little->path), *other = little_lock(little, little->path);
    if (!lock || !other)
        return NULL;
    little->acquired = filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    little->refused = filelock_acquire(other, FILELOCK_EXCLUSIVE, 20);
    little->described = filelock_describe(other, little->refused, text, sizeof text);
    little->owned = filelock_owner(other, &owner);
    little->holder = (pid_t) owner.pid;
    if (FORKS_BESIDE_THREADS)
        hold_together(little, lock);
    else
        little->shared = filelock_release(lock);
    little->again = filelock_acquire(other, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    little->broken = filelock_break(lock);
    filelock_free(other);
    filelock_free(lock);
    return NULL;
}

/*
 * Calls of every kind get by with the stack of the smallest thread.  The path is relative, and its directory is
 * missing.
 */
START_TEST(test_little_stack)
{
    struct little little = { .kind = kind_at(_i), .path = "a/lock", .acquired = -1, .shared = -1, .again = -1 };
    pthread_attr_t attributes;
    pthread_t thread;
    open_scratch();
    ck_assert_int_eq(chdir(scratch("")), 0);
    pthread_attr_init(&attributes);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, (size_t) LITTLE_STACK), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, use_little_stack, &little), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    EXPECT(little.acquired, 0);
    EXPECT(little.refused, -ETIMEDOUT);
    ck_assert(little.described > 0);
    EXPECT(little.owned, 0);
    ck_assert_int_eq(little.holder, getpid());
    EXPECT(little.shared, 0);
    if (FORKS_BESIDE_THREADS)
        ck_assert_int_eq(little.of_child, little.kind->can & CAN_FORK_SHARE ? 0 : EPERM << 8);
    EXPECT(little.again, 0);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* ---- Many handles ------------------------------------------------------------------------------- */

/* Returns how many pages a child that ends at once has touched or copied. */
static long pages_of_child(void)
{
    struct rusage usage;
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(wait4(child, &status, 0, &usage), child);
    ck_assert_int_eq(status, 0);
    return usage.ru_minflt;
}

/* A child copies no pages of handles at rest.  10,000 of these fill about 800 pages. */
START_TEST(test_many_at_rest)
{
    enum { MANY = 10000, FEW_PAGES = 200 };
    static struct filelock *locks[MANY];
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    locks[0] = new_lock(kind, path, 0);
    long before = pages_of_child();
    for (int i = 1; i < MANY; i++) {
        locks[i] = new_lock(kind, path, 0);
        EXPECT(filelock_held(locks[i]), 0);
    }
    ck_assert_int_lt(pages_of_child(), before + FEW_PAGES);
    for (int i = 0; i < MANY; i++)
        filelock_free(locks[i]);
}
END_TEST

#ifdef __linux__
enum { OWN_PAGES = 1 << 20 }; /* malloc maps a block of this size by itself */

/* Makes a handle whose long path gives it pages of its own. */
static struct filelock *apart(const struct kind *kind, unsigned flags)
{
    static char path[OWN_PAGES];
    memset(path, 'x', sizeof path - 1);
    struct filelock *lock = new_lock(kind, path, flags);
    EXPECT(filelock_held(lock), 0);
    return lock;
}

/* Protects the pages of the handle.  If that is PROT_NONE, a look at the handle kills the process. */
static void protect(struct filelock *lock, int protection)
{
    char *pages = (char *) lock - (uintptr_t) lock % (uintptr_t) sysconf(_SC_PAGESIZE);
    ck_assert_int_eq(mprotect(pages, OWN_PAGES, protection), 0);
}

static void fork_once(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* Neither a fork, nor the end of a thread, nor the search for a deadlock reads a handle at rest. */
START_TEST(test_at_rest_is_left_alone)
{
    const struct kind *kind = kind_at(_i);
    if (UNDER_ASAN || UNDER_TSAN || under_valgrind() || getenv("FILELOCK_TEST_EMULATOR"))
        SKIP("another malloc may keep its own notes on the handle's pages");
    struct caller caller;
    struct filelock *rests[] = { apart(kind, 0), apart(kind, FORK_SHARE_OF(kind)) };
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    for (int i = 0; i < 2; i++)
        protect(rests[i], PROT_NONE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    fork_once();
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    EXPECT(filelock_release(lock), 0);
    fork_once();
    caller_start(&caller);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    caller_end(&caller);
    expect_free(kind, scratch("lock"));
    filelock_free(lock);
    filelock_free(other);
    for (int i = 0; i < 2; i++) {
        protect(rests[i], PROT_READ | PROT_WRITE);
        filelock_free(rests[i]);
    }
}
END_TEST
#endif

/* ---- Forks in on_wait -------------------------------------------------------------------------- */

/* What happens in the process that forks in on_wait, and in its child. */
static struct {
    struct filelock *lock;
    pid_t child; /* 0 in the child; -1: not yet forked */
    pthread_t beside;
    int acquired, together; /* in the thread beside */
    int other;              /* the child's other thread holds the lock */
} forker;

static void *acquire_beside(void *unused)
{
    forker.acquired = filelock_acquire(forker.lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    for (int i = 0; i < 50; i++) {
        forker.together |= __atomic_load_n(&forker.other, __ATOMIC_SEQ_CST);
        nap_ms(1);
    }
    filelock_release(forker.lock);
    return unused;
}

/* The child starts a thread that takes the turn, which in the parent is this thread's. */
static void fork_and_start(struct filelock *lock, void *unused)
{
    (void) lock;
    (void) unused;
    if (forker.child >= 0)
        return;
    forker.child = fork();
    if (forker.child == 0 && pthread_create(&forker.beside, NULL, acquire_beside, NULL) != 0)
        _exit(2);
    if (forker.child == 0)
        nap_ms(50);
}

static int acquire_and_fork(const struct kind *kind)
{
    struct filelock_options options = options_of(kind);
    int status = 0;
    options.on_wait = fork_and_start;
    forker.child = -1;
    if (filelock_new(&forker.lock, scratch("lock"), &options) != 0 ||
        filelock_acquire(forker.lock, FILELOCK_EXCLUSIVE, PATIENCE_MS) != 0)
        return 3;
    if (forker.child == 0) {
        __atomic_store_n(&forker.other, 1, __ATOMIC_SEQ_CST);
        nap_ms(50);
        __atomic_store_n(&forker.other, 0, __ATOMIC_SEQ_CST);
        filelock_release(forker.lock);
        pthread_join(forker.beside, NULL);
        return forker.acquired != 0 ? 4 : forker.together ? 5 : 0;
    }
    filelock_release(forker.lock);
    return waitpid(forker.child, &status, 0) == forker.child && status == 0 ? 0 : 1;
}

/* A child that on_wait has forked has no turn of its parent's: its threads get the handle one after the other. */
START_TEST(test_on_wait_forks)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(kind);
    NEEDS_THREADS_IN_CHILDREN();
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    int status;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    pid_t process = fork();
    if (process == 0)
        _exit(acquire_and_fork(kind));
    nap_ms(150); /* the child's threads are waiting */
    PEER_SAYS(peer, "0", "release a");
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    ck_assert_msg(status == 0, "status %x", (unsigned) status);
}
END_TEST

#ifdef SYS_fork
/* A child that has not run yet has copies of all descriptors.  Here it is one that runs no handler of a fork. */
START_TEST(test_conversion_beside_copies)
{
    const struct kind *kind = kind_at(_i);
    if (!(kind->can & CAN_CONVERT_UP))
        SKIP("does not apply to %s", kind->name);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    pid_t child = (pid_t) syscall(SYS_fork);
    ck_assert_int_ge(child, 0);
    while (child == 0)
        pause();
    int result = filelock_convert(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    EXPECT(result, 0);
    filelock_free(lock);
}
END_TEST
#endif

/* ---- Suite ------------------------------------------------------------------------------------ */

static void add_threads(Suite *suite)
{
    TCase *tcase = add_case(suite, "threads");
#ifdef SYS_fork
    ADD_FOR_KINDS(tcase, test_conversion_beside_copies);
#endif
    ADD_FOR_KINDS(tcase, test_thread_holds);
    ADD_FOR_KINDS(tcase, test_thread_waits);
    ADD_FOR_KINDS(tcase, test_waiting_parent_killed);
    ADD_FOR_KINDS(tcase, test_thread_forks);
    ADD_FOR_KINDS(tcase, test_storm_two_handles);
    ADD_FOR_KINDS(tcase, test_storm_one_handle);
    ADD_FOR_KINDS(tcase, test_fresh_handles);
}

/* Returns when the peer's attempt has been granted, and it holds the lock. */
static void expect_granted(struct peer *peer)
{
    const char *said;
    EVENTUALLY(strcmp(said = peer_ask(peer, "finish a"), "-EINPROGRESS") != 0);
    ck_assert_str_eq(said, "0");
}

/* A child has no attempt under way, and its parent's goes on. */
START_TEST(test_attempt)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_THREADS_IN_CHILDREN();
    NEEDS_FORK_BESIDE_THREADS();
    for (int shared = 0; shared < (kind->can & CAN_FORK_SHARE ? 2 : 1); shared++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        struct peer *parent = peer_with(kind, scratch("lock"), shared ? FILELOCK_FORK_SHARE : 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        PEER_SAYS(parent, "-EINPROGRESS", "begin a exclusive -1");
        wait_for_queue(kind, scratch("lock"), 1);
        struct peer *child = peer_fork(parent, NULL);
        PEER_SAYS(child, "-EINVAL", "finish a");
        PEER_SAYS(child, "-EINVAL", "abort a");
        PEER_SAYS(child, "0", "held a");
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        PEER_SAYS(child, "-EINPROGRESS", "begin a exclusive -1");
        PEER_SAYS(child, "0", "abort a");
        PEER_SAYS(parent, "-EINPROGRESS", "finish a");
        EXPECT(filelock_release(lock), 0);
        expect_granted(parent);
        PEER_SAYS(child, "-EINPROGRESS", "begin a exclusive -1");
        PEER_SAYS(parent, "0", "release a");
        expect_granted(child);
        PEER_SAYS(child, "0", "free a");
        filelock_free(lock);
        peer_end(child);
        peer_end(parent);
    }
}
END_TEST

static int is_over(const struct filelock *lock)
{
    struct signal_pair pair = { .waitable = filelock_acquire_waitable(lock) };
    return waitable_is_set(&pair);
}

/* Nor has it one that is over, and whose result its parent has not taken. */
START_TEST(test_attempt_over)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_FORK_BESIDE_THREADS();
    NEEDS_FORK_OF_HOLDER(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    int status;
    caller_start(&caller);
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, 1), -EINPROGRESS);
    EVENTUALLY(is_over(lock));
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(filelock_acquire_finish(lock) != -EINVAL ? 1 : filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, 0));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    EXPECT(filelock_acquire_finish(lock), -ETIMEDOUT);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* The child has nothing that keeps its parent's lock: not if that is granted during the fork either. */
START_TEST(test_attempt_granted)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    NEEDS_FORK_BESIDE_THREADS();
    for (int round = scaled(20, 5); round > 0; round--) {
        struct filelock *lock = new_lock(kind, path, 0);
        struct peer *parent = peer_with(kind, path, 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        PEER_SAYS(parent, "-EINPROGRESS", "begin a exclusive -1");
        EXPECT(filelock_release(lock), 0);
        struct peer *child = peer_fork(parent, NULL);
        PEER_SAYS(child, "-EINVAL", "finish a");
        expect_granted(parent);
        PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
        PEER_SAYS(parent, "0", "release a");
        expect_free(kind, path);
        filelock_free(lock);
        peer_end(child);
        peer_end(parent);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("fork");
    TCase *tcase = add_case(suite, "fork");
    ADD_FOR_KINDS(tcase, test_child_of_holder);
    ADD_FOR_KINDS(tcase, test_child_waits_for_parent);
    ADD_FOR_KINDS(tcase, test_child_frees_and_ends);
    ADD_FOR_KINDS(tcase, test_parent_killed);
    ADD_FOR_KINDS(tcase, test_forked_at_rest);
    ADD_FOR_KINDS(tcase, test_forked_before_first_acquire);
    ADD_FOR_KINDS(tcase, test_shared_mode);
    ADD_FOR_KINDS(tcase, test_grandchild);
    ADD_FOR_KINDS(tcase, test_from_fd);
    tcase = add_case(suite, "attempt");
    ADD_FOR_KINDS(tcase, test_attempt);
    ADD_FOR_KINDS(tcase, test_attempt_over);
    ADD_FOR_KINDS(tcase, test_attempt_granted);
    add_threads(suite);
    tcase = add_case(suite, "on_wait");
    ADD_FOR_KINDS(tcase, test_on_wait_forks);
    tcase = add_case(suite, "server");
    ADD_FOR_KINDS(tcase, test_close_hangs);
    tcase = add_case(suite, "stack");
    ADD_FOR_KINDS(tcase, test_little_stack);
    tcase = add_case(suite, "many");
    ADD_FOR_KINDS(tcase, test_many_at_rest);
#ifdef __linux__
    ADD_FOR_KINDS(tcase, test_at_rest_is_left_alone);
#endif
    tcase = add_case(suite, "share");
    ADD_FOR_KINDS(tcase, test_share);
    ADD_FOR_KINDS(tcase, test_share_child_first);
    ADD_FOR_KINDS(tcase, test_daemon);
    ADD_FOR_KINDS(tcase, test_share_unlink);
    ADD_FOR_KINDS(tcase, test_share_record);
    ADD_FOR_KINDS(tcase, test_holder_is_not_taker);
    ADD_FOR_KINDS(tcase, test_hidden_holder);
    ADD_FOR_KINDS(tcase, test_share_record_of_siblings);
    ADD_FOR_KINDS(tcase, test_share_without_record);
    ADD_FOR_KINDS(tcase, test_share_from_other_thread);
    ADD_FOR_KINDS(tcase, test_share_forking_thread_ends);
    return suite;
}
