/* SPDX-License-Identifier: MIT
 *
 * test_signals_linux.c - a signal at each system call of a wait that it is to end: no signal is lost on the way.
 */
#include "markers.h"
#include "storm.h"
#include "subject.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define WAIT_MS 30000

/* The first call of a wait holds back signals.  A signal before that call comes before the wait. */
#define FIRST 1

static struct {
    const struct kind *kind;
    void *(*wait)(void *lock);
    struct subject subject;
    int sent;
} trial;

static struct answers {
    int result, handled;
} * answers;

static void handle(int number)
{
    (void) number;
    answers->handled++;
}

/* ---- The subject ------------------------------------------------------------------------------- */

static void *acquire(void *lock)
{
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    subject_ready();
    answers->result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, WAIT_MS);
    subject_ready();
    return NULL;
}

/* Waits for another thread that holds the handle. */
static void *acquire_beside(void *lock)
{
    pthread_t thread;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0 ||
        pthread_create(&thread, NULL, acquire, lock) != 0)
        _exit(71);
    pthread_join(thread, NULL);
    return NULL;
}

static void obey(void *unused)
{
    struct filelock_options options = options_of(trial.kind);
    struct sigaction action = { .sa_handler = handle };
    struct filelock *lock = NULL;
    (void) unused;
    options.flags = FILELOCK_INTERRUPTIBLE;
    sigaction(SIGUSR1, &action, NULL);
    if (filelock_new(&lock, scratch("lock"), &options) != 0)
        _exit(70);
    trial.wait(lock);
}

/* ---- The trials -------------------------------------------------------------------------------- */

static void interrupt(void)
{
    if (!trial.sent)
        kill(trial.subject.pid, SIGUSR1);
    trial.sent = 1;
}

/*
 * Returns the number of the system call that was hit:
 * - -1: there are fewer calls
 * - -2: system calls cannot be traced
 */
static int interrupt_at(int at)
{
    struct fault fault = { at, PAUSE };
    if (subject_start(&trial.subject, obey, NULL) != 0)
        return -2;
    trial.subject.doom = interrupt;
    trial.sent = 0;
    *answers = (struct answers) { 1, 0 };
    ck_assert_int_eq(subject_go(&trial.subject, &no_fault, NULL), 1);
    int answered = subject_go(&trial.subject, &fault, interrupt), hit = trial.subject.hit;
    ck_assert_msg(answered == 1 && answers->result == -EINTR && answers->handled == 1, "%s: %s, %d handled",
                  trial.subject.what, result_name(answers->result), answers->handled);
    subject_kill(&trial.subject);
    return hit;
}

static void interrupt_everywhere(int kind, void *(*wait)(void *lock))
{
    int at = FIRST, hit;
    trial.kind = kind_at(kind);
    trial.wait = wait;
    answers = shared_memory(sizeof *answers);
    while ((hit = interrupt_at(at)) >= 0)
        at++;
    if (hit == -2)
        SKIP("system calls cannot be traced here");
    ck_assert_int_gt(at, FIRST);
}

START_TEST(test_wait_for_a_process)
{
    NEEDS_TRACES();
    struct peer *peer = peer_with(kind_at(_i), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    interrupt_everywhere(_i, acquire);
}
END_TEST

START_TEST(test_wait_for_a_thread)
{
    NEEDS_TRACES();
    interrupt_everywhere(_i, acquire_beside);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("signals, Linux");
    TCase *tcase = add_case(suite, "signals on the way");
    ADD_FOR_KINDS(tcase, test_wait_for_a_process);
    ADD_FOR_KINDS(tcase, test_wait_for_a_thread);
    return suite;
}
