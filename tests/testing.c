/* SPDX-License-Identifier: MIT
 *
 * testing.c - what every suite uses: the kinds to test, scratch files, expectations, threads.
 */
#include "testing.h"

#include "harness.h"
#include "peers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Kinds ---------------------------------------------------------------------------------- */

static const struct kind all_kinds[] = {
    { FILELOCK_KIND_FLOCK, "flock",
      CAN_SHARE | CAN_FD | CAN_QUEUE | CAN_NAME_PID | CAN_READ_ONLY | CAN_DIRECTORY | CAN_KEEP_FILE | CAN_TELL_FD |
          CAN_BE_REPLACED | CAN_TELL_HOLDER | CAN_LAST | CAN_FORK_SHARE },
    { FILELOCK_KIND_OFD, "ofd",
      CAN_NAME_PID | CAN_SHARE | CAN_RANGE | CAN_FD | CAN_QUEUE | CAN_KEEP_FILE | CAN_TELL_FD | CAN_BE_REPLACED |
          CAN_TELL_HOLDER | CAN_CONVERT_UP | CAN_LAST | CAN_FORK_SHARE },
    { FILELOCK_KIND_WIN32, "win32", CAN_SHARE | CAN_RANGE | CAN_FD | CAN_KEEP_FILE | CAN_LAST | CAN_FORK_SHARE },
    { FILELOCK_KIND_SOFT, "soft", CAN_NAME_PID | CAN_BE_REPLACED | CAN_TELL_HOLDER | CAN_LAST | CAN_FORK_SHARE },
    { FILELOCK_KIND_LEASE, "lease", CAN_NAME_PID | CAN_BE_REPLACED | CAN_TELL_HOLDER },
};

#define ALL_KINDS ((int) (sizeof all_kinds / sizeof *all_kinds))

const struct kind *any_kind(int index)
{
    return index < ALL_KINDS ? &all_kinds[index] : NULL;
}

/*
 * True under valgrind for the kind ofd: valgrind takes F_OFD_SETLKW for a call that never blocks, so a thread's wait
 * stops all threads.
 */
static int untestable(const struct kind *kind)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return kind->kind == FILELOCK_KIND_OFD && preloaded && strstr(preloaded, "vgpreload");
}

const struct kind *kind_at(int index)
{
    for (int i = 0; i < ALL_KINDS; i++)
        if (filelock_supported(all_kinds[i].kind) && !untestable(&all_kinds[i]) && index-- == 0)
            return &all_kinds[i];
    return NULL;
}

void say_untestable_kinds(void)
{
    for (int i = 0; i < ALL_KINDS; i++)
        if (untestable(&all_kinds[i]))
            say_skipped("every test", "kind %s cannot be tested under valgrind", all_kinds[i].name);
}

int kinds_count(void)
{
    int count = 0;
    while (kind_at(count))
        count++;
    return count;
}

/* ---- Suites --------------------------------------------------------------------------------- */

#define PATHS 64

static char directory[1024];
static char paths[PATHS][2048];
static int paths_used;
static int descriptors_before;

static void set_up(void)
{
    if (harness_counts())
        ck_abort_msg("not run");
    descriptors_before = open_descriptors();
    ck_assert_int_eq(make_scratch(harness_directory(), directory, sizeof directory), 0);
    paths_used = 0;
}

static void tear_down(void)
{
    peers_end();
    EVENTUALLY(open_descriptors() == descriptors_before);
    remove_tree(directory);
}

TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

/* An emulator is slow, so it may be later. */
int lateness_ms(void)
{
    return getenv("FILELOCK_TEST_EMULATOR") ? 60000 : 10000;
}

int scaled(int count, int least)
{
    const char *text = getenv("FILELOCK_TEST_SCALE");
    double scale = text && *text ? strtod(text, NULL) : 1.0;
    int result = scale < 1.0 ? (int) (count * scale) : count;
    return result < least ? least : result;
}

void say_skipped(const char *test, const char *format, ...)
{
    char reason[512], name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    snprintf(name, sizeof name, "%s", test);
    size_t length = strlen(name);
    if (length > 3 && !strcmp(name + length - 3, "_fn")) /* Check appends this to a test's name */
        name[length - 3] = '\0';
    harness_skipped(name, reason);
}

/* ---- Files and handles ---------------------------------------------------------------------- */

const char *scratch(const char *name)
{
    char path[sizeof paths[0]];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    for (int i = 0; i < paths_used; i++)
        if (!strcmp(paths[i], path))
            return paths[i];
    ck_assert_int_lt(paths_used, PATHS);
    return strcpy(paths[paths_used++], path);
}

void expect_contents(const char *path, const char *text)
{
    char found[1024];
    ck_assert_msg(read_file(path, found, sizeof found) >= 0, "cannot read %s", path);
    ck_assert_str_eq(found, text);
}

struct filelock_options options_of(const struct kind *kind)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.kind = kind->kind;
    return options;
}

/*
 * Handles that tests made.  A child that a test starts may exit with a handle, or be killed: leak checkers are to find a
 * pointer to it then.  What the library forgets to free they find all the same.
 */
struct made {
    struct made *next;
    struct filelock *lock;
};

static struct made *all_made;

void keep_reachable(struct filelock *lock)
{
    struct made *made = malloc(sizeof *made);
    if (!made)
        return;
    *made = (struct made) { __atomic_load_n(&all_made, __ATOMIC_SEQ_CST), lock };
    while (!__atomic_compare_exchange_n(&all_made, &made->next, made, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

struct filelock *new_lock_with(const struct filelock_options *options, const char *path)
{
    struct filelock *lock = NULL;
    EXPECT(filelock_new(&lock, path, options), 0);
    ck_assert_ptr_nonnull(lock);
    keep_reachable(lock);
    return lock;
}

struct filelock *new_lock(const struct kind *kind, const char *path, unsigned flags)
{
    struct filelock_options options = options_of(kind);
    options.flags = flags;
    return new_lock_with(&options, path);
}

void wait_for_queue(const struct kind *kind, const char *path, int count)
{
    if (!(kind->can & CAN_QUEUE) || queued_on(path) < 0)
        nap_ms(50); /* the test notices less, but stays right */
    else
        EVENTUALLY(queued_on(path) == count);
}

void wait_for_queued(const struct kind *kind, const char *path, struct caller *caller)
{
    if (!(kind->can & CAN_QUEUE) || queued_on(path) < 0)
        nap_ms(50);
    else
        EVENTUALLY(queued_on(path) != 0 || !still_calling(caller));
}

static int result_of(const struct kind *kind, const char *path, int64_t timeout_ms)
{
    struct filelock *lock = new_lock(kind, path, 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
    filelock_free(lock);
    return result;
}

void expect_free(const struct kind *kind, const char *path)
{
    EXPECT(result_of(kind, path, FILELOCK_TRY), 0);
}

void expect_free_soon(const struct kind *kind, const char *path)
{
    EXPECT(result_of(kind, path, PATIENCE_MS), 0);
}

void expect_taken(const struct kind *kind, const char *path)
{
    EXPECT(result_of(kind, path, FILELOCK_TRY), -ETIMEDOUT);
}

/* ---- Sleeping ------------------------------------------------------------------------------- */

struct effort {
    int64_t switches, processor_ms;
};

static struct effort effort_since(const struct effort *start)
{
    return (struct effort) { voluntary_switches() - start->switches, processor_ns() / 1000000 - start->processor_ms };
}

static struct effort effort_of_wait(struct filelock *lock, int ms)
{
    struct effort start = effort_since(&(struct effort) { 0, 0 });
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, ms), -ETIMEDOUT);
    return effort_since(&start);
}

static struct effort effort_of_sleep(int ms)
{
    struct effort start = effort_since(&(struct effort) { 0, 0 });
    nap_ms(ms);
    return effort_since(&start);
}

void expect_waiter_sleeps(struct filelock *lock)
{
    struct effort more = { 0, 0 };
    for (int tries = 0; tries < 5; tries++) {
        struct effort begin = effort_of_wait(lock, 10), idle = effort_of_sleep(1000);
        more = effort_of_wait(lock, 1010);
        more.switches -= begin.switches + idle.switches;
        if (more.switches < 12 && more.processor_ms < 100)
            return;
    }
    ck_abort_msg("%lld more switches and %lld ms of processor time in a second more", (long long) more.switches,
                 (long long) more.processor_ms);
}

/* ---- Other threads -------------------------------------------------------------------------- */

static void do_call(void *arg)
{
    struct caller *caller = arg;
    int64_t start = now_ns();
    switch (caller->call) {
    case CALL_ACQUIRE:
        caller->result = filelock_acquire(caller->lock, caller->mode, caller->timeout_ms);
        break;
    case CALL_RELEASE:
        caller->result = filelock_release(caller->lock);
        break;
    case CALL_RELEASE_ALL:
        caller->result = filelock_release_all(caller->lock);
        break;
    case CALL_HELD:
        caller->result = filelock_held(caller->lock);
        break;
    case CALL_DEPTH:
        caller->result = (int) filelock_depth(caller->lock);
        break;
    case CALL_CHECK:
        caller->result = filelock_check(caller->lock);
        break;
    default:
        filelock_free(caller->lock);
        caller->result = 0;
    }
    caller->took_ns = now_ns() - start;
}

void caller_start(struct caller *caller)
{
    memset(caller, 0, sizeof *caller);
    ck_assert_int_eq(worker_start(&caller->worker), 0);
}

void caller_end(struct caller *caller)
{
    worker_end(&caller->worker);
}

void begin_acquire(struct caller *caller, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    caller->call = CALL_ACQUIRE;
    caller->lock = lock;
    caller->mode = mode;
    caller->timeout_ms = timeout_ms;
    worker_send(&caller->worker, do_call, caller);
}

int end_call(struct caller *caller)
{
    ck_assert_msg(worker_done(&caller->worker, PATIENCE_MS), "a thread's call did not return within %d s",
                  PATIENCE_MS / 1000);
    return caller->result;
}

int still_calling(struct caller *caller)
{
    return !worker_done(&caller->worker, 0);
}

int caller_call(struct caller *caller, int call, struct filelock *lock)
{
    caller->call = call;
    caller->lock = lock;
    worker_send(&caller->worker, do_call, caller);
    return end_call(caller);
}

int caller_acquire(struct caller *caller, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms)
{
    begin_acquire(caller, lock, mode, timeout_ms);
    return end_call(caller);
}

void wait_for_sleep(struct caller *caller)
{
    ck_assert_msg(worker_asleep(&caller->worker, PATIENCE_MS), "a thread that should wait does not");
}
