/* SPDX-License-Identifier: MIT
 *
 * test_signals.c - signals during waits.  Waits leave the process's signals and timers alone.
 */
#include "posix.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static const int64_t waits[] = { FILELOCK_FOREVER, 3600000, INT64_MAX };
#define WAITS (sizeof waits / sizeof *waits)

/* Read by a thread, and written by a handler in another thread: sig_atomic_t is not made for that. */
static int handled;
static pthread_t handled_in;

static int times_handled(void)
{
    return __atomic_load_n(&handled, __ATOMIC_ACQUIRE);
}

static void handle(int number)
{
    (void) number;
    __atomic_store_n(&handled_in, pthread_self(), __ATOMIC_RELEASE);
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELEASE);
}

static void install(int number, int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    ck_assert_int_eq(sigaction(number, &action, NULL), 0);
    __atomic_store_n(&handled, 0, __ATOMIC_RELEASE);
}

static struct peer *holder(const struct kind *kind)
{
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

/*
 * Waits until the caller sleeps in its wait, and then signals until it answers: a signal may come before the wait has
 * quite begun.
 */
static int signal_until_answer(struct caller *caller)
{
    wait_for_sleep(caller);
    for (int i = 0; i < PATIENCE_MS / 20; i++) {
        pthread_kill(caller->worker.thread, SIGUSR1);
        if (worker_done(&caller->worker, 20))
            break;
    }
    return end_call(caller);
}

static void interrupt(const struct kind *kind, int flags)
{
    struct caller caller;
    struct peer *peer = holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_INTERRUPTIBLE);
    install(SIGUSR1, flags);
    caller_start(&caller);
    for (size_t i = 0; i < WAITS; i++) {
        int before = times_handled();
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_queue(kind, scratch("lock"), 1);
        EXPECT(signal_until_answer(&caller), -EINTR);
        ck_assert_int_gt(times_handled(), before);
        EXPECT(caller_call(&caller, CALL_HELD, lock), 0);
        if (kind->can & CAN_QUEUE)
            ck_assert_int_le(queued_on(scratch("lock")), 0);
    }
    PEER_SAYS(peer, "0", "release a");
    EXPECT(caller_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    caller_end(&caller);
    filelock_free(lock);
}

START_TEST(test_interrupted)
{
    interrupt(kind_at(_i), 0);
}
END_TEST

START_TEST(test_interrupted_with_restart)
{
    interrupt(kind_at(_i), SA_RESTART);
}
END_TEST

/* Without the flag, a handler of either kind runs, and the wait goes on. */
START_TEST(test_not_interrupted)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    if (UNDER_TSAN)
        SKIP("ThreadSanitizer holds back the signals of a thread that waits");
    struct peer *peer = holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    caller_start(&caller);
    for (size_t i = 0; i < 2 * WAITS; i++) {
        install(SIGUSR1, i % 2 ? SA_RESTART : 0);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i / 2]);
        wait_for_queue(kind, scratch("lock"), 1);
        for (int sent = 1; sent <= 3; sent++) {
            pthread_kill(caller.worker.thread, SIGUSR1);
            EVENTUALLY(times_handled() == sent);
        }
        wait_for_queue(kind, scratch("lock"), 1);
        ck_assert(still_calling(&caller));
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* Signals make a wait with a limit neither longer nor shorter. */
START_TEST(test_timeout_under_signals)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    install(SIGUSR1, 0);
    caller_start(&caller);
    int64_t start = now_ns();
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 150);
    while (!worker_done(&caller.worker, 5))
        pthread_kill(caller.worker.thread, SIGUSR1);
    EXPECT(end_call(&caller), -ETIMEDOUT);
    EXPECT_TOOK(start, 150);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A wait for another thread that holds the same handle can be interrupted too. */
START_TEST(test_wait_for_a_thread)
{
    if (UNDER_TSAN)
        say_skipped(__func__, "without INTERRUPTIBLE: ThreadSanitizer holds back the signals of a thread that waits");
    for (int interruptible = UNDER_TSAN; interruptible < 2; interruptible++) {
        struct caller caller;
        struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), interruptible ? FILELOCK_INTERRUPTIBLE : 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        caller_start(&caller);
        for (size_t i = 0; i < WAITS; i++) {
            install(SIGUSR1, SA_RESTART);
            begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
            if (interruptible) {
                EXPECT(signal_until_answer(&caller), -EINTR);
                continue;
            }
            wait_for_sleep(&caller);
            pthread_kill(caller.worker.thread, SIGUSR1);
            EVENTUALLY(times_handled() == 1);
            wait_for_sleep(&caller);
            EXPECT(filelock_release(lock), 0);
            EXPECT(end_call(&caller), 0);
            EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        }
        caller_end(&caller);
        filelock_free(lock);
    }
}
END_TEST

/* A signal for which no handler runs ends no wait. */
START_TEST(test_ignored_signals)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    struct peer *peer = holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_INTERRUPTIBLE);
    signal(SIGUSR1, SIG_IGN);
    caller_start(&caller);
    for (size_t i = 0; i < WAITS; i++) {
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        wait_for_queue(kind, scratch("lock"), 1);
        pthread_kill(caller.worker.thread, SIGUSR1);
        pthread_kill(caller.worker.thread, SIGCHLD);
        wait_for_sleep(&caller);
        ck_assert(still_calling(&caller));
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A wait leaves the handlers, masks and timers of the process as they were, and none of its handlers ever runs. */
START_TEST(test_signals_are_left_alone)
{
    const struct kind *kind = kind_at(_i);
    struct itimerval timer = { { 0, 0 }, { 3600, 0 } }, left;
    struct sigaction before[65], after;
    sigset_t mask, mask_after;
    holder(kind);
    install(SIGALRM, 0);
    install(SIGUSR2, 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
    for (int number = 1; number < 65; number++)
        sigaction(number, NULL, &before[number]);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    for (int i = 0; i < 5; i++)
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, i * 5), -ETIMEDOUT);
    ck_assert_int_eq(times_handled(), 0);
    ck_assert_int_eq(getitimer(ITIMER_REAL, &left), 0);
    ck_assert_int_gt(left.it_value.tv_sec, 3000);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int number = 1; number < 65; number++)
        if (sigaction(number, NULL, &after) == 0)
            ck_assert_msg(after.sa_handler == before[number].sa_handler, "the handler of signal %d changed", number);
    pthread_sigmask(SIG_BLOCK, NULL, &mask_after);
    for (int number = 1; number < 65; number++)
        ck_assert_int_eq(sigismember(&mask, number), sigismember(&mask_after, number));
    filelock_free(lock);
}
END_TEST

/* A signal is sent to the process while all its threads but a waiter block it: the handler runs in that thread. */
START_TEST(test_helpers_take_no_signals)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    sigset_t usr1;
    if (UNDER_TSAN)
        SKIP("ThreadSanitizer holds back the signals of a thread that waits");
    struct peer *peer = holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    install(SIGUSR1, 0);
    caller_start(&caller);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* this thread blocks it, so the caller has to take it */
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 3600000);
    wait_for_queue(kind, scratch("lock"), 1);
    for (int sent = 1; sent <= 5; sent++) {
        kill(getpid(), SIGUSR1);
        EVENTUALLY(times_handled() == sent);
        pthread_t thread = __atomic_load_n(&handled_in, __ATOMIC_ACQUIRE);
        ck_assert(pthread_equal(thread, caller.worker.thread));
    }
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* ---- Cancelled threads, and cancel descriptors of POSIX ---------------------------------------- */

START_TEST(test_hang_up_cancels)
{
    const struct kind *kind = kind_at(_i);
    struct signal_pair pair;
    struct caller caller;
    struct filelock_options options = options_of(kind);
    holder(kind);
    waitable_open(&pair);
    options.cancel = pair.waitable;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_queue(kind, scratch("lock"), 1);
    close(pair.other);
    EXPECT(end_call(&caller), -ECANCELED);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 3600000), -ECANCELED);
    caller_end(&caller);
    filelock_free(lock);
    close(pair.waitable);
}
END_TEST

START_TEST(test_bad_cancel_descriptor)
{
    struct filelock_options options = options_of(kind_at(_i));
    struct filelock *lock = NULL;
    options.cancel = -2;
    EXPECT(filelock_new(&lock, scratch("lock"), &options), -EINVAL);
}
END_TEST

/* No function is a cancellation point: a thread that is cancelled while it waits returns with the lock. */
struct doomed {
    struct filelock *lock;
    int result;
    int past;
};

static void *be_cancelled(void *arg)
{
    struct doomed *doomed = arg;
    doomed->result = filelock_acquire(doomed->lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    doomed->past = 1;
    pthread_testcancel();
    return NULL;
}

START_TEST(test_no_cancellation_point)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer = holder(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct doomed doomed = { lock, 1, 0 };
    pthread_t thread;
    void *value;
    ck_assert_int_eq(pthread_create(&thread, NULL, be_cancelled, &doomed), 0);
    wait_for_queue(kind, scratch("lock"), 1);
    pthread_cancel(thread);
    wait_for_queue(kind, scratch("lock"), 1);
    PEER_SAYS(peer, "0", "release a");
    ck_assert_int_eq(pthread_join(thread, &value), 0);
    ck_assert_ptr_eq(value, PTHREAD_CANCELED);
    ck_assert_int_eq(doomed.past, 1);
    EXPECT(doomed.result, 0);
    expect_free(kind, scratch("lock")); /* the thread's end released the lock */
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("signals");
    TCase *tcase = add_case(suite, "signals");
    ADD_FOR_KINDS(tcase, test_interrupted);
    ADD_FOR_KINDS(tcase, test_interrupted_with_restart);
    ADD_FOR_KINDS(tcase, test_not_interrupted);
    ADD_FOR_KINDS(tcase, test_timeout_under_signals);
    ADD_FOR_KINDS(tcase, test_wait_for_a_thread);
    ADD_FOR_KINDS(tcase, test_ignored_signals);
    ADD_FOR_KINDS(tcase, test_signals_are_left_alone);
    ADD_FOR_KINDS(tcase, test_helpers_take_no_signals);
    tcase = add_case(suite, "cancellation");
    ADD_FOR_KINDS(tcase, test_hang_up_cancels);
    ADD_FOR_KINDS(tcase, test_bad_cancel_descriptor);
    ADD_FOR_KINDS(tcase, test_no_cancellation_point);
    return suite;
}
