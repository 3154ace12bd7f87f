/* SPDX-License-Identifier: MIT
 *
 * testing.h - what every suite uses: the kinds to test, scratch files, expectations, threads.
 *
 * A suite is a source file that defines make_suite(); main.c runs it.  Tests are looped over kinds:
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

#include <check.h>
#include <errno.h>
#include <filelock.h>
#include <stdint.h>

#include "names.h"
#include "platform.h"
#include "workers.h"

/* How long anything may take that must happen; how late a timeout may be on a busy machine. */
#define PATIENCE_MS 60000
#define LATENESS_MS lateness_ms()
int lateness_ms(void);

/* ---- Suites --------------------------------------------------------------------------------- */

Suite *make_suite(void);

/* A test case in which every test has a scratch directory of its own, and must close what it opens. */
TCase *add_case(Suite *suite, const char *name);

/* Adds a test that is run for every kind of this build. */
#define ADD_FOR_KINDS(tcase, test) tcase_add_loop_test(tcase, test, 0, kinds_count())

/* ---- Kinds ---------------------------------------------------------------------------------- */

enum {
    CAN_SHARE = 1,      /* shared locks */
    CAN_RANGE = 2,      /* a range of bytes */
    CAN_FD = 4,         /* a descriptor of the caller's */
    CAN_QUEUE = 8,      /* waiters wait in the kernel */
    CAN_NAME_PID = 16,  /* the system knows the holder's process */
    CAN_READ_ONLY = 32, /* an exclusive lock on a file that may only be read */
    CAN_DIRECTORY = 64, /* an exclusive lock on a directory */
    CAN_KEEP_FILE = 128, /* the lock file stays, and what is in it is not the library's */
    CAN_TELL_FD = 256,   /* the descriptor that is locked */
    CAN_BE_REPLACED = 512, /* the file may be deleted and replaced while it is held */
    CAN_TELL_HOLDER = 1024 /* whether anybody holds it, though he left no record */
};

struct kind {
    int kind;
    const char *name;
    unsigned can;
};

int kinds_count(void);
const struct kind *kind_at(int index);

/* Says which kinds kind_at() leaves out although this build has them. */
void say_untestable_kinds(void);

/* Of all kinds that the header names, built or not: NULL after the last. */
const struct kind *any_kind(int index);

/* ---- Skipping ------------------------------------------------------------------------------- */

/* Tells the log, and the console of make check where that is passed on, that something is not tested. */
void say_skipped(const char *test, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#define SKIP(...)                                                                                  \
    do {                                                                                           \
        say_skipped(__func__, __VA_ARGS__);                                                        \
        return;                                                                                    \
    } while (0)

#define NEEDS(kind_, ability)                                                                      \
    do {                                                                                           \
        if (((kind_)->can & (ability)) != (ability))                                                      \
            SKIP("does not apply to %s (%s)", (kind_)->name, #ability);                            \
    } while (0)

/*
 * What ThreadSanitizer's run-time cannot do: it holds a signal back while its thread is in a system
 * call that it does not know of, and a thread in the child of a process with threads can kill it.
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

/* ---- Expectations --------------------------------------------------------------------------- */

#define EXPECT(call, want)                                                                         \
    do {                                                                                           \
        int got_ = (call), want_ = (want);                                                         \
        ck_assert_msg(got_ == want_, "%s is %s, not %s", #call, result_name(got_), result_name(want_)); \
    } while (0)

/* Polls until the condition holds, at most for PATIENCE_MS. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        int64_t until_ = now_ns() + (int64_t)PATIENCE_MS * 1000000;                                \
        while (!(condition)) {                                                                     \
            ck_assert_msg(now_ns() < until_, "not within %d s: %s", PATIENCE_MS / 1000, #condition); \
            nap_ms(1);                                                                             \
        }                                                                                          \
    } while (0)

/* That what began at `start_ns` took `wanted_ms`: not a moment less, and not much more. */
#define EXPECT_TOOK(start_ns, wanted_ms)                                                           \
    do {                                                                                           \
        int64_t took_ = now_ns() - (start_ns), least_ = (int64_t)(wanted_ms) * 1000000;            \
        ck_assert_msg(took_ >= least_, "%lld ns early", (long long)(least_ - took_));              \
        ck_assert_msg(took_ < least_ + (int64_t)LATENESS_MS * 1000000, "%lld ms late",             \
                      (long long)((took_ - least_) / 1000000));                                    \
    } while (0)

/* ---- Files and handles ---------------------------------------------------------------------- */

/* The path of `name` in this test's scratch directory; valid until the test ends. */
const char *scratch(const char *name);

/* That the file has these contents. */
void expect_contents(const char *path, const char *text);

/* A new handle; the test fails if there is none. */
struct filelock *new_lock(const struct kind *kind, const char *path, unsigned flags);
struct filelock *new_lock_with(const struct filelock_options *options, const char *path);
struct filelock_options options_of(const struct kind *kind);

/* Returns when `count` requests wait in the kernel for the file; where that cannot be seen, soon. */
void wait_for_queue(const struct kind *kind, const char *path, int count);

/* That nobody holds it: one more handle gets it at once, or (soon) when a process has quite ended. */
void expect_free(const struct kind *kind, const char *path);
void expect_free_soon(const struct kind *kind, const char *path);
void expect_taken(const struct kind *kind, const char *path);

/* `count` times FILELOCK_TEST_SCALE (1 if not set), at least `least`. */
int scaled(int count, int least);

/*
 * That whoever waits for the lock, which somebody else has, does not run: polling as seldom as every 50 ms would show.
 * A sanitizer or an emulator has threads of its own that run now and then, so that the best of five seconds counts.
 */
void expect_waiter_sleeps(struct filelock *lock);

/* ---- Other threads -------------------------------------------------------------------------- */

/* A thread that calls the library: begin_ starts a call, end_ waits for its result. */
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

/* Until the caller is queued; on a busy machine a short timeout may be over before that is seen. */
void wait_for_queued(const struct kind *kind, const char *path, struct caller *caller);
int caller_call(struct caller *caller, int call, struct filelock *lock);
int caller_acquire(struct caller *caller, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/* Returns when the caller sleeps in its call. */
void wait_for_sleep(struct caller *caller);

#endif
