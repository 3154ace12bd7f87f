/* SPDX-License-Identifier: MIT
 *
 * test_fork.c - a child never holds, unlocks, keeps alive or removes its parent's lock, unless the
 * handle says FILELOCK_FORK_SHARE.
 */
#include "markers.h"
#include "posix.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* A peer that holds "a" `depth` deep. */
static struct peer *holding(const struct kind *kind, unsigned flags, int depth)
{
    struct peer *parent = peer_with(kind, scratch("lock"), flags);
    for (int i = 0; i < depth; i++)
        PEER_SAYS(parent, "0", "acquire a exclusive 0");
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

START_TEST(test_child_of_holder)
{
    const struct kind *kind = kind_at(_i);
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

/* With FOREVER, too: the parent's hold is not the child's own, so this is no deadlock. */
START_TEST(test_child_waits_for_parent)
{
    const struct kind *kind = kind_at(_i);
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
    static const char *const ends[] = {"free a", "exit 0"};
    const struct kind *kind = kind_at(_i);
    for (unsigned flags = 0; flags <= FILELOCK_UNLINK; flags += FILELOCK_UNLINK)
        for (int i = 0; i < 2; i++) {
            struct peer *parent = holding(kind, flags, 1);
            struct peer *child = peer_fork(parent, NULL);
            peer_send(child, "%s", ends[i]);
            if (i == 0) {
                PEER_ANSWERS(child, "0");
                peer_end(child);
            } else {
                PEER_SAYS(parent, "0", "reap %lld", (long long)peer_pid(child));
            }
            expect_taken(kind, scratch("lock"));
            PEER_SAYS(parent, "0", "check a");
            PEER_SAYS(parent, "1", "held a");
            PEER_SAYS(parent, "0", "release a");
            expect_free(kind, scratch("lock"));
            peer_end(parent);
        }
}
END_TEST

/* A dead parent's lock is free, whatever became of its children. */
START_TEST(test_parent_killed)
{
    const struct kind *kind = kind_at(_i);
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

/* The descriptor that a handle at rest keeps open would become the parent's lock in the child's hands. */
START_TEST(test_forked_at_rest)
{
    const struct kind *kind = kind_at(_i);
    for (unsigned flags = 0; flags <= FILELOCK_FORK_SHARE; flags += FILELOCK_FORK_SHARE) {
        struct peer *parent = holding(kind, flags, 1);
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
    NEEDS(kind, CAN_SHARE);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "acquire a shared 0");
    struct peer *child = peer_fork(parent, NULL);
    expect_nothing_inherited(child);
    PEER_SAYS(child, "0", "acquire a shared 0");
    PEER_SAYS(parent, "0", "release a");
    expect_taken(kind, scratch("lock")); /* by the child's own lock */
    PEER_SAYS(child, "0", "release a");
    expect_free(kind, scratch("lock"));
}
END_TEST

START_TEST(test_grandchild)
{
    const struct kind *kind = kind_at(_i);
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

/* Another thread than the one that forks holds. */
START_TEST(test_thread_holds)
{
    const struct kind *kind = kind_at(_i);
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

/* A thread that does not hold forks while another one waits for somebody else's lock. */
START_TEST(test_thread_waits)
{
    const struct kind *kind = kind_at(_i);
    for (int finite = 0; finite < 2; finite++) {
        struct peer *holder = holding(kind, 0, 1);
        struct peer *parent = peer_with(kind, scratch("lock"), 0);
        PEER_SAYS(parent, "0", "on w acquire a exclusive %d", finite ? PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), 1);
        PEER_SAYS(parent, "1", "asleep w");
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

/* The parent dies while it waits, and while the child lives: nothing of its wait is left. */
START_TEST(test_waiting_parent_killed)
{
    const struct kind *kind = kind_at(_i);
    for (int finite = 0; finite < 2; finite++) {
        struct peer *holder = holding(kind, 0, 1);
        struct peer *parent = peer_with(kind, scratch("lock"), 0);
        PEER_SAYS(parent, "0", "on w acquire a exclusive %d", finite ? PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), 1);
        PEER_SAYS(parent, "1", "asleep w");
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

/* The thread that holds forks, while others wait for their turn on the handle. */
START_TEST(test_thread_forks)
{
    const struct kind *kind = kind_at(_i);
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

/* Forks at any moment of acquires and releases: no child keeps anything, none is stuck. */
static void storm(const struct kind *kind, const char *other)
{
    int forks = scaled(200, 10);
    char all[16];
    snprintf(all, sizeof all, "%d -", forks);
    struct peer *parent = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(parent, "0", "new b kind=%d path=%s", kind->kind, scratch("lock"));
    PEER_SAYS(parent, all, "storm a %s %d %s", other, forks, kind->can & CAN_QUEUE ? "descriptors" : "");
    process_kill(&(struct process){peer_pid(parent), -1, -1});
    expect_free_soon(kind, scratch("lock"));
    ck_assert_msg(peer_silent(parent), "the children ended"); /* they hold its output open, and so are there */
    peer_kill(parent);
}

/* A lock of qemu-user's own that another thread has at the fork is taken for ever in the child. */
#define NEEDS_FORKS_AT_ANY_MOMENT()                                                                \
    do {                                                                                           \
        if (getenv("FILELOCK_TEST_EMULATOR"))                                                      \
            SKIP("the emulator may hang in the child of a process whose threads are busy");        \
    } while (0)

START_TEST(test_storm_two_handles)
{
    NEEDS_FORKS_AT_ANY_MOMENT();
    storm(kind_at(_i), "b");
}
END_TEST

START_TEST(test_storm_one_handle)
{
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

/* Of the lowest ones, which is quick: the more forks in a row, the more openers are met. */
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
    waitpid(child, &status, 0); /* without a nap, which would let the others come to an end with it */
    return status != 0;
}

/*
 * Forks while other threads open lock files and close them: a child has none.  A thread that the system leaves
 * waiting in the middle of that cannot be waited for, which makes a few exceptions on a busy machine.
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
    ck_assert_msg(leaks <= 1 + forks / 10, "%d of %d children have one", leaks, forks);
}
END_TEST

/* ---- FILELOCK_FORK_SHARE ---------------------------------------------------------------------- */

START_TEST(test_share)
{
    const struct kind *kind = kind_at(_i);
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
    static const char *const ends[] = {"release a", "free a", "exit 0"};
    for (int i = 0; i < 3; i++) {
        struct peer *parent = holding(kind, FILELOCK_FORK_SHARE, 1);
        struct peer *child = peer_fork(parent, NULL);
        peer_send(child, "%s", ends[i]);
        if (i == 2)
            PEER_SAYS(parent, "0", "reap %lld", (long long)peer_pid(child));
        else
            PEER_ANSWERS(child, "0");
        expect_taken(kind, scratch("lock"));
        PEER_SAYS(parent, "1", "held a");
        PEER_SAYS(parent, "0", "release a");
        expect_free(kind, scratch("lock"));
        peer_end(parent);
    }
}
END_TEST

/* A daemon locks, forks twice and lets its ancestors go, in whatever way they go. */
START_TEST(test_daemon)
{
    const struct kind *kind = kind_at(_i);
    static const char *const ends[] = {"exit 0", "free a", "release a", "kill"};
    for (int i = 0; i < 4; i++) {
        struct peer *parent = holding(kind, FILELOCK_FORK_SHARE, 1);
        struct peer *middle = peer_fork(parent, NULL);
        struct peer *daemon = peer_fork(middle, NULL);
        struct peer *ancestors[] = {middle, parent};
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
    struct filelock_owner owner = {sizeof owner, 0, 0, 0, "", ""};
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, pid);
    ck_assert_int_eq(owner.alive, 1);
    filelock_free(lock);
}

/* Who has forked last; one that leaves hands it back. */
START_TEST(test_share_record)
{
    const struct kind *kind = kind_at(_i);
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

/* Of several children one that leaves hands it to another who holds. */
START_TEST(test_share_record_of_siblings)
{
    const struct kind *kind = kind_at(_i);
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

/* A shared lock writes no record, and its release takes none away. */
START_TEST(test_share_without_record)
{
    const struct kind *kind = kind_at(_i);
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

/* The thread that forks is the only one in the child: what another one holds it could never release. */
START_TEST(test_share_from_other_thread)
{
    const struct kind *kind = kind_at(_i);
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

/* ---- Descriptors of the caller's -------------------------------------------------------------- */

/* The child's copy of the descriptor is the caller's business; its handle is not held all the same. */
START_TEST(test_from_fd)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock")), pipe_ends[2];
    int answers[4] = {9, 9, 9, 9};
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
    ck_assert_int_eq(process_wait(&(struct process){child, -1, -1}, PATIENCE_MS), 0);
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

/* A child of three threads in turn: the one that forked ends, which is told by a pipe, and another stays. */
struct family {
    int ending[2], staying[2];
    pid_t child;
};

static void *stay(void *arg)
{
    char none;
    _exit(read_some(((struct family *)arg)->staying[0], &none, 1) == 0 ? 0 : 1);
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

/* In the child the lock belongs to the thread that forked, and goes with it. */
START_TEST(test_share_forking_thread_ends)
{
    const struct kind *kind = kind_at(_i);
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
    ck_assert_int_eq(process_wait(&(struct process){family.child, -1, -1}, PATIENCE_MS), 0);
    close(family.ending[0]);
    close(family.staying[0]);
}
END_TEST

/* ---- Suite ------------------------------------------------------------------------------------ */

static void add_threads(Suite *suite)
{
    TCase *tcase = add_case(suite, "threads");
    ADD_FOR_KINDS(tcase, test_thread_holds);
    ADD_FOR_KINDS(tcase, test_thread_waits);
    ADD_FOR_KINDS(tcase, test_waiting_parent_killed);
    ADD_FOR_KINDS(tcase, test_thread_forks);
    ADD_FOR_KINDS(tcase, test_storm_two_handles);
    ADD_FOR_KINDS(tcase, test_storm_one_handle);
    ADD_FOR_KINDS(tcase, test_fresh_handles);
}

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
    add_threads(suite);
    tcase = add_case(suite, "share");
    ADD_FOR_KINDS(tcase, test_share);
    ADD_FOR_KINDS(tcase, test_share_child_first);
    ADD_FOR_KINDS(tcase, test_daemon);
    ADD_FOR_KINDS(tcase, test_share_unlink);
    ADD_FOR_KINDS(tcase, test_share_record);
    ADD_FOR_KINDS(tcase, test_share_record_of_siblings);
    ADD_FOR_KINDS(tcase, test_share_without_record);
    ADD_FOR_KINDS(tcase, test_share_from_other_thread);
    ADD_FOR_KINDS(tcase, test_share_forking_thread_ends);
    return suite;
}
