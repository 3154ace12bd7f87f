/* SPDX-License-Identifier: MIT
 *
 * testing.h - what every suite uses: the kinds to test, scratch files, expectations, threads.
 *
 * A suite is a source file that defines make_suite().  main.c runs it.  A test runs once for each kind, and gets it by
 * index:
 *
 *   START_TEST(test_something)
 *   {
 *       const struct kind *kind = kind_at(_i);
 *       NEEDS(kind, CAN_SHARE);
 *       struct filelock *lock = new_lock(kind, scratch("lock"), 0);
 *       EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
 */
#ifndef TESTING_H
#define TESTING_H

/* check.h passes %jd to printf(), which the C library of Windows lacks. */
#ifdef __MINGW32__
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#endif

#include <check.h>
#include <errno.h>
#include <filelock.h>
#include <stdint.h>

#include "names.h"
#include "platform.h"
#include "workers.h"

/* Give up after PATIENCE_MS on anything that must happen.  On a busy machine a timeout may be LATENESS_MS late. */
#define PATIENCE_MS 60000
#define LATENESS_MS lateness_ms()
int lateness_ms(void);

/* ---- Suites --------------------------------------------------------------------------------- */

Suite *make_suite(void);

/* Adds a test case in which every test has a scratch directory of its own, and must close whatever it opens. */
TCase *add_case(Suite *suite, const char *name);

/* Adds a test that is run for every kind of this build. */
#define ADD_FOR_KINDS(tcase, test) tcase_add_loop_test(tcase, test, 0, kinds_count())

/* ---- Kinds ---------------------------------------------------------------------------------- */

enum {
    CAN_SHARE = 1,          /* takes shared locks */
    CAN_RANGE = 2,          /* locks a range of bytes */
    CAN_FD = 4,             /* locks a descriptor that the caller opened */
    CAN_QUEUE = 8,          /* lets waiters wait in the kernel */
    CAN_NAME_PID = 16,      /* the system knows the process that holds the lock */
    CAN_READ_ONLY = 32,     /* takes an exclusive lock on a file that the caller may only read */
    CAN_DIRECTORY = 64,     /* takes an exclusive lock on a directory */
    CAN_KEEP_FILE = 128,    /* keeps the lock file, and leaves its contents alone */
    CAN_TELL_FD = 256,      /* tells which descriptor is locked */
    CAN_BE_REPLACED = 512,  /* the file may be deleted and replaced while it is locked */
    CAN_TELL_HOLDER = 1024, /* tells that the lock is held, even if its holder left no record */
    CAN_CONVERT_UP = 2048,  /* converts from shared to exclusive */
    CAN_LAST = 4096,        /* its locks last until they are released: they neither expire nor tell of their loss */
    CAN_FORK_SHARE = 8192   /* a forked child can hold the lock too */
};

/* FILELOCK_FORK_SHARE for kinds that have it, else 0. */
#define FORK_SHARE_OF(kind_) ((kind_)->can & CAN_FORK_SHARE ? FILELOCK_FORK_SHARE : 0u)

struct kind {
    int kind;
    const char *name;
    unsigned can;
};

int kinds_count(void);
const struct kind *kind_at(int index);

/* Says which kinds this build has but kind_at() leaves out. */
void say_untestable_kinds(void);

/* Returns a kind that the header names, whether this build has it or not; NULL after the last. */
const struct kind *any_kind(int index);

/* ---- Skipping ------------------------------------------------------------------------------- */

/* Tells the log that something is not tested; also the console of make check, where that is passed on. */
void say_skipped(const char *test, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#define SKIP(...)                           \
    do {                                    \
        say_skipped(__func__, __VA_ARGS__); \
        return;                             \
    } while (0)

#define NEEDS(kind_, ability)                                           \
    do {                                                                \
        if (((kind_)->can & (ability)) != (ability))                    \
            SKIP("does not apply to %s (%s)", (kind_)->name, #ability); \
    } while (0)

/*
 * 1 where ThreadSanitizer's run-time is used.  It cannot do two things:
 * It holds a signal back while its thread is in a system call that the run-time does not know.
 * A thread in the child of a process with threads can kill the run-time.
 */
#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif

/* 1 where AddressSanitizer is used: it puts room around variables on the stack. */
#ifdef __SANITIZE_ADDRESS__
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

/* A process that forks while another thread has a lock of the sanitizer's allocator has a child that waits for ever. */
#define FORKS_BESIDE_THREADS (!UNDER_ASAN && !UNDER_TSAN && !under_valgrind())
#define NEEDS_FORK_BESIDE_THREADS()                                                    \
    do {                                                                               \
        if (!FORKS_BESIDE_THREADS)                                                     \
            SKIP("a child forked beside a thread hangs in the sanitizer's allocator"); \
    } while (0)

#define NEEDS_THREADS_IN_CHILDREN()                                                       \
    do {                                                                                  \
        if (getenv("FILELOCK_TEST_EMULATOR"))                                             \
            SKIP("the emulator starts no thread in the child of a process with threads"); \
    } while (0)

/*
 * A thread renews a lease.  So a process that holds one forks beside a thread, and a child that takes one starts a
 * thread.
 */
#define NEEDS_FORK_OF_HOLDER(kind)       \
    do {                                 \
        if (!((kind)->can & CAN_LAST)) { \
            NEEDS_FORK_BESIDE_THREADS(); \
            NEEDS_THREADS_IN_CHILDREN(); \
        }                                \
    } while (0)

/* ---- Expectations --------------------------------------------------------------------------- */

#define EXPECT(call, want)                                                                              \
    do {                                                                                                \
        int got_ = (call), want_ = (want);                                                              \
        ck_assert_msg(got_ == want_, "%s is %s, not %s", #call, result_name(got_), result_name(want_)); \
    } while (0)

/* Polls until the condition holds, at most for PATIENCE_MS. */
#define EVENTUALLY(condition)                                                                        \
    do {                                                                                             \
        int64_t until_ = now_ns() + (int64_t) PATIENCE_MS * 1000000;                                 \
        while (!(condition)) {                                                                       \
            ck_assert_msg(now_ns() < until_, "not within %d s: %s", PATIENCE_MS / 1000, #condition); \
            nap_ms(1);                                                                               \
        }                                                                                            \
    } while (0)

/* Fails the test unless what began at `start_ns` took at least `wanted_ms`, and at most LATENESS_MS more. */
#define EXPECT_TOOK(start_ns, wanted_ms)                                                \
    do {                                                                                \
        int64_t took_ = now_ns() - (start_ns), least_ = (int64_t) (wanted_ms) *1000000; \
        ck_assert_msg(took_ >= least_, "%lld ns early", (long long) (least_ - took_));  \
        ck_assert_msg(took_ < least_ + (int64_t) LATENESS_MS * 1000000, "%lld ms late", \
                      (long long) ((took_ - least_) / 1000000));                        \
    } while (0)

/* ---- Files and handles ---------------------------------------------------------------------- */

/* Returns the path of `name` in this test's scratch directory; valid until the test ends. */
const char *scratch(const char *name);

/* Fails the test unless the file has these contents. */
void expect_contents(const char *path, const char *text);

/* Returns a new handle; fails the test if there is none. */
struct filelock *new_lock(const struct kind *kind, const char *path, unsigned flags);
/* Makes leak checkers find a pointer to a handle that a child may leave. */
void keep_reachable(struct filelock *lock);

struct filelock *new_lock_with(const struct filelock_options *options, const char *path);
struct filelock_options options_of(const struct kind *kind);

/* Returns when `count` requests wait in the kernel for the file.  Where that cannot be seen, naps a moment instead. */
void wait_for_queue(const struct kind *kind, const char *path, int count);

/*
 * Fail the test unless the lock is in this state: free, free soon, or taken.  Another handle tries to lock.  Soon is
 * for a lock whose process may not have ended completely.
 */
void expect_free(const struct kind *kind, const char *path);
void expect_free_soon(const struct kind *kind, const char *path);
void expect_taken(const struct kind *kind, const char *path);

/* Returns `count` times FILELOCK_TEST_SCALE (1 if it is not set), but no less than `least`. */
int scaled(int count, int least);

/*
 * Fails the test if a thread runs while it waits for the lock.  Another handle holds the lock.
 * Polling is noticed even if it happens only every 50 ms.
 * A sanitizer or an emulator has threads of its own that run now and then: so five seconds are tried, and the best
 * counts.
 */
void expect_waiter_sleeps(struct filelock *lock);

/* ---- Other threads -------------------------------------------------------------------------- */

/* A thread that calls the library.  begin_acquire() starts a call, end_call() waits for its result. */
struct caller {
    struct worker worker;
    struct filelock *lock;
    enum filelock_mode mode;
    int64_t timeout_ms;
    int64_t took_ns;
    int call;
    int result;
};

enum { CALL_ACQUIRE, CALL_RELEASE, CALL_RELEASE_ALL, CALL_HELD, CALL_DEPTH, CALL_CHECK, CALL_FREE };

void caller_start(struct caller *caller);
void caller_end(struct caller *caller);
void begin_acquire(struct caller *caller, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);
int end_call(struct caller *caller);
int still_calling(struct caller *caller);

/*
 * Returns when the caller is queued in the kernel, or when its call has ended.
 * On a busy machine a short timeout may be over before the queue is looked at.
 */
void wait_for_queued(const struct kind *kind, const char *path, struct caller *caller);
int caller_call(struct caller *caller, int call, struct filelock *lock);
int caller_acquire(struct caller *caller, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/* Returns when the caller sleeps in its call; fails the test if it does not. */
void wait_for_sleep(struct caller *caller);

#endif
