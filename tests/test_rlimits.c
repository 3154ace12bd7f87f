/* SPDX-License-Identifier: MIT
 *
 * test_rlimits.c - what happens when the system gives no more threads, descriptors, or space.
 */
#include "markers.h"
#include "posix.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void *nothing(void *arg)
{
    return arg;
}

static int no_thread_can_be_had(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 0;
}

/* Makes pthread_create() fail from now on.  Returns 0 if it does. */
static int forbid_threads(struct rlimit *before)
{
    if (geteuid() == 0)
        become_nobody();
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, before), 0);
    struct rlimit none = { 0, before->rlim_max };
    return setrlimit(RLIMIT_NPROC, &none) != 0 || !no_thread_can_be_had();
}

/* Waits with a limit then try again at growing intervals.  They never end early, and not much late. */
START_TEST(test_no_threads)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    struct rlimit before;
    struct peer *peer = peer_start();
    open_scratch();
    PEER_SAYS(peer, "0", "new a kind=%d mode=0666 path=%s", kind->kind, path);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    NEEDS(kind, CAN_LAST); /* a lease needs a thread */
    if (forbid_threads(&before) != 0)
        SKIP("threads cannot be forbidden here");
    waitable_open(&pair);
    options.cancel = pair.waitable;
    struct filelock *lock = new_lock_with(&options, path);
    for (int timeout = 1; timeout <= 125; timeout *= 5) {
        int64_t start = now_ns();
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout), -ETIMEDOUT);
        EXPECT_TOOK(start, timeout);
    }
    waitable_set(&pair);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ECANCELED);
    waitable_clear(&pair);
    peer_send(peer, "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    PEER_ANSWERS(peer, "0");
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    filelock_free(lock);
    waitable_close(&pair);
    peer_end(peer);
    setrlimit(RLIMIT_NPROC, &before); /* LeakSanitizer needs a thread at the end */
}
END_TEST

/* Larger than the stack of a helper thread, which has to hold it. */
static __thread volatile char large[400 * 1024];

/* A program with much thread-local storage waits as others do: in the kernel, which lists the waiter. */
START_TEST(test_large_thread_storage)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct caller caller;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    large[_i] = 1;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_FREE, lock), 0);
    caller_end(&caller);
    peer_end(peer);
}
END_TEST

START_TEST(test_no_descriptors_for_waiting)
{
    const struct kind *kind = kind_at(_i);
    struct rlimit limit, none;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0); /* now the handle has its descriptor */
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 4;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int64_t start = now_ns();
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 60);
    int64_t took = now_ns() - start;
    peer_send(peer, "release a");
    int later = result == -ETIMEDOUT ? filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS) : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    PEER_ANSWERS(peer, "0");
    ck_assert_msg(result == -ETIMEDOUT || result == -EMFILE, "%s", result_name(result));
    ck_assert_msg(result != -ETIMEDOUT || took >= 60000000, "early");
    EXPECT(later, 0);
    filelock_free(lock);
}
END_TEST

static int acquire_without(struct filelock *lock, int descriptors, int64_t timeout)
{
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = (rlim_t) descriptors;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return result;
}

/*
 * The limit is lower than the number of descriptors that poll(2) looks at.  The wait is as long as ever, and sees its
 * cancel descriptor.
 */
START_TEST(test_limit_below_a_wait)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    struct signal_pair pair;
    NEEDS(kind, CAN_KEEP_FILE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    if (under_valgrind())
        SKIP("it has limits of its own");
    waitable_open(&pair);
    for (int cancellable = 0; cancellable < 2; cancellable++) {
        options.cancel = cancellable ? pair.waitable : FILELOCK_NO_WAITABLE;
        options.flags = cancellable ? FILELOCK_INTERRUPTIBLE : 0;
        struct filelock *lock = new_lock_with(&options, scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        for (int descriptors = 0; descriptors < 3; descriptors++) {
            int64_t start = now_ns();
            EXPECT(acquire_without(lock, descriptors, 30), -ETIMEDOUT);
            ck_assert_int_ge(now_ns() - start, 30000000);
        }
        if (cancellable) {
            waitable_set(&pair);
            EXPECT(acquire_without(lock, 0, FILELOCK_FOREVER), -ECANCELED);
            waitable_clear(&pair);
        }
        PEER_SAYS(peer, "0", "release a");
        filelock_free(lock);
    }
    waitable_close(&pair);
}
END_TEST

/* A wait that found no descriptor has no effect on later waits: they wait in the kernel, which lists them. */
START_TEST(test_later_wait)
{
    static struct caller caller;
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    int starved = acquire_without(lock, 3, 20);
    EXPECT(starved, -ETIMEDOUT);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 3600000);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* Allows this many descriptors, and some for the test itself.  Returns 0, or -1. */
static int allow_descriptors(int count)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t) count + 100;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -1;
    if (limit.rlim_cur >= wanted)
        return 0;
    limit.rlim_cur = wanted;
    limit.rlim_max = limit.rlim_max < wanted ? wanted : limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

START_TEST(test_10000_locks_held)
{
    enum { MOST = 10000 };
    const struct kind *kind = kind_at(_i);
    static struct filelock *locks[MOST];
    char path[2048];
    int many = scaled(MOST, 50);
    if (allow_descriptors(2 * many) != 0) /* a lease has two */
        SKIP("wants %d descriptors", 2 * many);
    for (int i = 0; i < many; i++) {
        snprintf(path, sizeof path, "%s%d", scratch("lock"), i);
        locks[i] = new_lock(kind, path, i % 100 ? 0 : FILELOCK_UNLINK); /* its release looks at all locks */
        EXPECT(filelock_acquire(locks[i], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    }
    for (int i = 0; i < many; i += 97) {
        snprintf(path, sizeof path, "%s%d", scratch("lock"), i);
        expect_taken(kind, path);
    }
    for (int i = 0; i < many; i++) {
        int which = (int) (i * 7LL % many);
        which = many % 7 ? which : i;
        ck_assert_int_eq(filelock_held(locks[which]), 1);
        filelock_free(locks[which]);
    }
}
END_TEST

/* Leaves no descriptor: the lowest number that is free is beyond the limit. */
static void forbid_descriptors(struct rlimit *before)
{
    int next = dup(2);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, before), 0);
    struct rlimit none = { (rlim_t) next, before->rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

START_TEST(test_no_descriptors)
{
    const struct kind *kind = kind_at(_i);
    struct rlimit before;
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_UNLINK);
    forbid_descriptors(&before);
    int once = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    int again = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), held = filelock_held(lock);
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT(once, -EMFILE);
    EXPECT(again, -EMFILE);
    ck_assert_int_eq(held, 0);
    /* Valgrind opens the file before it reports the error. */
    ck_assert(!path_exists(scratch("lock")) || under_valgrind());
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

/* ---- Long paths -------------------------------------------------------------------------------------- */

/* Returns "<scratch>////...//lock", with this length. */
static const char *long_path(size_t length)
{
    static char path[PATH_MAX + 1];
    const char *folder = scratch("");
    memset(path, '/', sizeof path);
    memcpy(path, folder, strlen(folder));
    memcpy(path + length - 4, "lock", 5);
    return path;
}

START_TEST(test_longest_path)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, long_path(PATH_MAX - 1), FILELOCK_UNLINK);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, i ? 1000 : FILELOCK_TRY), 0);
        expect_taken(kind, scratch("lock"));
        EXPECT(filelock_check(lock), 0);
        EXPECT(filelock_release(lock), 0);
        ck_assert(!path_exists(scratch("lock")));
    }
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    struct filelock *other = new_lock(kind, long_path(PATH_MAX - 1), 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, 5), -ETIMEDOUT);
    filelock_free(other);
    filelock_free(lock);
    lock = new_lock(kind, long_path(PATH_MAX), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENAMETOOLONG);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 5), -ENAMETOOLONG);
    filelock_free(lock);
}
END_TEST

/* ---- Stopped processes ------------------------------------------------------------------------------- */

static void send_signal(struct peer *peer, int signal)
{
    kill((pid_t) peer_pid(peer), signal);
}

START_TEST(test_holder_stopped)
{
    const struct kind *kind = kind_at(_i);
    struct peer *holder = peer_with(kind, scratch("lock"), 0), *waiter = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    send_signal(holder, SIGSTOP);
    PEER_SAYS(waiter, "-ETIMEDOUT", "acquire a exclusive 30");
    peer_send(waiter, "acquire a exclusive -1");
    wait_for_queue(kind, scratch("lock"), 1);
    ck_assert(peer_silent(waiter));
    send_signal(holder, SIGCONT);
    PEER_SAYS(holder, "0", "release a");
    PEER_ANSWERS(waiter, "0");
}
END_TEST

/* Stops the peer.  All its threads have stopped when this returns. */
static void stop(struct peer *peer)
{
    siginfo_t info;
    send_signal(peer, SIGSTOP);
    EVENTUALLY((memset(&info, 0, sizeof info),
                waitid(P_PID, (id_t) peer_pid(peer), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0));
}

/* A waiter that is stopped is in no other waiter's way.  It waits on when it is continued. */
START_TEST(test_waiters_stopped)
{
    const struct kind *kind = kind_at(_i);
    struct peer *holder = peer_with(kind, scratch("lock"), 0), *stopped[2], *waiter;
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    for (int i = 0; i < 2; i++) {
        stopped[i] = peer_with(kind, scratch("lock"), 0);
        peer_send(stopped[i], "acquire a exclusive %d", i ? 10 * PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), i + 1);
    }
    for (int i = 0; i < 2; i++) /* which takes them out of the queue */
        stop(stopped[i]);
    waiter = peer_with(kind, scratch("lock"), 0);
    peer_send(waiter, "acquire a exclusive %d", PATIENCE_MS);
    nap_ms(20); /* next in the queue or too late for that, it is served */
    PEER_SAYS(holder, "0", "release a");
    PEER_ANSWERS(waiter, "0");
    for (int i = 0; i < 2; i++)
        send_signal(stopped[i], SIGCONT);
    PEER_SAYS(holder, "-ETIMEDOUT", "acquire a exclusive 20");
    PEER_SAYS(waiter, "0", "release a");
    int first = 0;
    EVENTUALLY((first = !first, !peer_silent(stopped[first])));
    PEER_ANSWERS(stopped[first], "0");
    PEER_SAYS(stopped[first], "0", "release a");
    PEER_ANSWERS(stopped[!first], "0");
}
END_TEST

START_TEST(test_no_file_space_wanted)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none = limit;
    none.rlim_cur = 0; /* any write to a file would raise SIGXFSZ, even a write of Check */
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int limited = setrlimit(RLIMIT_FSIZE, &none);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(lock);
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(limited, 0);
    EXPECT(result, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("rlimits");
    TCase *tcase = add_case(suite, "rlimits");
    ADD_FOR_KINDS(tcase, test_no_threads);
    ADD_FOR_KINDS(tcase, test_large_thread_storage);
    ADD_FOR_KINDS(tcase, test_no_descriptors_for_waiting);
    ADD_FOR_KINDS(tcase, test_limit_below_a_wait);
    ADD_FOR_KINDS(tcase, test_later_wait);
    ADD_FOR_KINDS(tcase, test_no_file_space_wanted);
    ADD_FOR_KINDS(tcase, test_10000_locks_held);
    ADD_FOR_KINDS(tcase, test_no_descriptors);
    ADD_FOR_KINDS(tcase, test_longest_path);
    ADD_FOR_KINDS(tcase, test_holder_stopped);
    ADD_FOR_KINDS(tcase, test_waiters_stopped);
    return suite;
}
