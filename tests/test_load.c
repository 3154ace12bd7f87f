/* SPDX-License-Identifier: MIT
 *
 * test_load.c - the library's first use and its last: beside a fork, and in the handlers of forks and exits.  Also
 * while a library is being loaded, and in a library that is unloaded.
 */
#include "markers.h"
#include "plugin.h"
#include "posix.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#ifdef STARTS_LATE
#define NEEDS_EARLY_START() SKIP("this build starts the library at its first use")
#else
#define NEEDS_EARLY_START() (void) 0
#endif

/* Fails the test unless the child ends with this status.  A child that hangs is ended. */
static void expect_status(pid_t child, int status)
{
    ck_assert_int_gt(child, 0);
    struct process process = { child, -1, -1 };
    int got = process_wait(&process, PATIENCE_MS);
    if (got == -1)
        process_kill(&process);
    ck_assert_int_eq(got, status);
}

/*
 * Returns the result of an acquire that does not wait.  Never fails the test, because a forked child could not report
 * that.
 */
static int acquire_and_free(const struct kind *kind, const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    options.kind = kind->kind;
    int rc = filelock_new(&lock, path, &options);
    if (rc != 0)
        return rc;
    rc = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(lock);
    return rc;
}

/* ---- The first use beside a fork --------------------------------------------------------------------- */

static pthread_barrier_t both;
static const struct kind *used_kind;
static const char *in_thread, *in_child_of_it; /* scratch() is not safe in the child of a process with threads */

static void spin(int rounds)
{
    for (volatile int i = 0; i < rounds; i++)
        ;
}

static void *use_first(void *rounds)
{
    pthread_barrier_wait(&both);
    spin(*(int *) rounds);
    acquire_and_free(used_kind, in_thread);
    return NULL;
}

/* A process in which a thread uses the library for the first time while another thread forks. */
static _Noreturn void fork_beside_use(int use_after, int fork_after)
{
    pthread_t thread;
    int status;
    pthread_barrier_init(&both, NULL, 2);
    if (pthread_create(&thread, NULL, use_first, &use_after) != 0)
        _exit(2);
    pthread_barrier_wait(&both);
    spin(fork_after);
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_MS / 2000);
        _exit(acquire_and_free(used_kind, in_child_of_it) == 0 ? 0 : 1);
    }
    pthread_join(thread, NULL);
    _exit(child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
}

START_TEST(test_fork_beside_first_use)
{
    NEEDS_EARLY_START();
    NEEDS_FORK_BESIDE_THREADS();
    used_kind = kind_at(_i);
    NEEDS_FORK_OF_HOLDER(used_kind);
    in_thread = scratch("lock");
    in_child_of_it = scratch("other");
    srand(1);
    for (int i = scaled(300, 30); i > 0; i--) {
        int use_after = rand() % 5000, fork_after = rand() % 20000;
        pid_t process = fork();
        if (process == 0)
            fork_beside_use(use_after, fork_after);
        expect_status(process, 0);
    }
}
END_TEST

/* ---- Handlers of forks ------------------------------------------------------------------------------- */

enum { IN_PREPARE, IN_PARENT, IN_CHILD, FORK_HANDLERS };
static int place, said;
static struct filelock *handled;

static void use_in(int here)
{
    if (place != here)
        return;
    said = filelock_acquire(handled, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (said == 0)
        said = filelock_release(handled);
    if (said == 0)
        said = acquire_and_free(used_kind, scratch("other"));
}

static void prepare(void)
{
    use_in(IN_PREPARE);
}

static void in_parent(void)
{
    use_in(IN_PARENT);
}

static void in_child(void)
{
    use_in(IN_CHILD);
    if (place == IN_CHILD)
        filelock_free(handled);
}

static _Noreturn void fork_with_handlers(void)
{
    said = 1;
    alarm(PATIENCE_MS / 2000);
    pthread_atfork(prepare, in_parent, in_child);
    handled = new_lock(used_kind, scratch("lock"), 0);
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        _exit(place == IN_CHILD ? said != 0 : 0);
    waitpid(child, &status, 0);
    _exit(place == IN_CHILD ? status != 0 : said != 0);
}

/* The handlers were registered before the library was first used. */
START_TEST(test_locks_in_fork_handlers)
{
    NEEDS_EARLY_START();
    used_kind = kind_at(_i);
    for (place = 0; place < FORK_HANDLERS; place++) {
        pid_t process = fork();
        if (process == 0)
            fork_with_handlers();
        expect_status(process, 0);
    }
}
END_TEST

/* ---- Handlers of exits ------------------------------------------------------------------------------- */

static int exits; /* this process is to exit with a lock held */
static pid_t exiting;

/* Checks that the lock still keeps other processes out. */
static void expect_held_at_exit(void)
{
    int status = 1;
    if (!exits || exiting != getpid())
        return;
    pid_t other = fork();
    if (other == 0)
        _exit(acquire_and_free(used_kind, scratch("lock")) == -ETIMEDOUT ? 0 : 1);
    if (waitpid(other, &status, 0) != other || status != 0)
        _exit(3);
}

#ifdef __GNUC__
#ifdef __GLIBC__
#define DESTRUCTORS_FORK 1
#else
#define DESTRUCTORS_FORK (used_kind == NULL || used_kind->kind != FILELOCK_KIND_LEASE)
#endif

/*
 * A program's own destructors run after its handlers of atexit(3).  In them, musl's fork(2) hangs if there is another
 * thread, such as that of a lease.
 */
__attribute__((destructor)) static void last_words(void)
{
    if (DESTRUCTORS_FORK)
        expect_held_at_exit();
}
#endif

static void exit_holding(plugin_use_function *use)
{
    static struct filelock *lock; /* so that LeakSanitizer finds it at the exit */

    exits = 1;
    exiting = getpid();
    if (atexit(expect_held_at_exit) != 0)
        exit(2);
    if (use) {
        if (use(scratch("lock"), used_kind->kind, FILELOCK_TRY, 1) != 0)
            _exit(2);
    } else {
        lock = new_lock(used_kind, scratch("lock"), 0);
        if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
            _exit(2);
    }
    exit(0);
}

enum { BEGUN = 64 };

static struct filelock *begun[BEGUN];
static pthread_barrier_t all_begun;

/* Begins all attempts again and again, as the exit aborts them. */
static void *begin_for_ever(void *unused)
{
    for (int round = 0;; round++) {
        for (int i = 0; i < BEGUN; i++)
            (void) filelock_acquire_begin(begun[i], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
        if (round == 0)
            pthread_barrier_wait(&all_begun);
        nap_ms(1);
    }
    return unused;
}

static void exit_beside_begins(const struct kind *kind)
{
    pthread_t thread;
    for (int i = 0; i < BEGUN; i++)
        begun[i] = new_lock(kind, scratch("lock"), 0);
    if (pthread_barrier_init(&all_begun, NULL, 2) != 0 || pthread_create(&thread, NULL, begin_for_ever, NULL) != 0)
        _exit(2);
    pthread_barrier_wait(&all_begun);
    alarm(PATIENCE_MS / 1000);
    exit(0);
}

/* The end of a process waits for no attempt: another thread may begin one after the other. */
START_TEST(test_exit_beside_begins)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    int status;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    pid_t child = fork();
    if (child == 0)
        exit_beside_begins(kind);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_held_in_exit_handlers)
{
    NEEDS_EARLY_START();
    used_kind = kind_at(_i);
    pid_t process = fork();
    if (process == 0)
        exit_holding(NULL);
    expect_status(process, 0);
    expect_free_soon(used_kind, scratch("lock"));
    if (!(used_kind->can & CAN_KEEP_FILE))
        expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Plugins ----------------------------------------------------------------------------------------- */

#ifdef PLUGIN
static void *plugin;

static plugin_use_function *plugin_load(void)
{
    union {
        void *data;
        plugin_use_function *call;
    } function;
    plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(plugin != NULL, "%s", dlerror());
    function.data = dlsym(plugin, "plugin_use");
    ck_assert_ptr_nonnull(function.data);
    return function.call;
}

/* Unloads the plugin.  Returns 0 where its code stays loaded: the rest of a test proves little then. */
static int plugin_unload(void)
{
    ck_assert_int_eq(dlclose(plugin), 0);
    if (!dlopen(PLUGIN, RTLD_NOW | RTLD_NOLOAD))
        return 1;
    say_skipped(__func__, "libraries stay loaded here");
    return 0;
}

/* True if a plugin ends when it is unloaded, or after the program's own exit handlers. */
static int plugin_ends(void)
{
    plugin_load();
    return plugin_unload();
}

static void load_use_unload(void *result)
{
    *(int *) result = plugin_load()(scratch("lock"), used_kind->kind, FILELOCK_TRY, 0);
    plugin_unload();
}

/* The thread that has used the plugin ends after the plugin is gone, and then the process forks. */
START_TEST(test_unloaded_before_thread_ends)
{
    struct worker worker;
    int result = 1;
    used_kind = kind_at(_i);
    ck_assert_int_eq(worker_start(&worker), 0);
    worker_send(&worker, load_use_unload, &result);
    worker_end(&worker);
    EXPECT(result, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    expect_status(child, 0);
}
END_TEST

struct use {
    plugin_use_function *use;
    const char *path;
    int64_t timeout_ms;
    int result;
};

static void use_plugin(void *arg)
{
    struct use *use = arg;
    use->result = use->use(use->path, used_kind->kind, use->timeout_ms, 0);
}

/* A helper thread of the plugin is still there, idle, when the plugin is unloaded. */
START_TEST(test_unloaded_with_helper)
{
    if (UNDER_TSAN)
        SKIP("ThreadSanitizer calls the exit handlers of code that is unmapped");
    struct use use = { plugin_load(), scratch("lock"), PATIENCE_MS, 1 };
    struct worker worker;
    used_kind = kind_at(_i);
    struct filelock *lock = new_lock(used_kind, use.path, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(worker_start(&worker), 0);
    worker_send(&worker, use_plugin, &use);
    wait_for_queue(used_kind, use.path, 1);
    EXPECT(filelock_release(lock), 0);
    worker_end(&worker);
    EXPECT(use.result, 0);
    plugin_unload();
    nap_ms(1);
    filelock_free(lock);
}
END_TEST

/* A lock that the plugin still holds when it is unloaded does not outlive it. */
START_TEST(test_unloaded_holding)
{
    if (UNDER_ASAN || under_valgrind())
        SKIP("the handle is gone with its module, which a leak checker calls a leak");
    used_kind = kind_at(_i);
    if (used_kind->can & CAN_KEEP_FILE)
        SKIP("%s locks end with their descriptor", used_kind->name);
    if (!plugin_ends())
        return;
    EXPECT(plugin_load()(scratch("lock"), used_kind->kind, FILELOCK_TRY, 1), 0);
    plugin_unload();
    expect_nothing_at(scratch("lock"));
}
END_TEST

START_TEST(test_plugin_held_in_exit_handlers)
{
    NEEDS_EARLY_START();
    if (!plugin_ends())
        return;
    used_kind = kind_at(_i);
    pid_t process = fork();
    if (process == 0)
        exit_holding(plugin_load());
    expect_status(process, 0);
    expect_free_soon(used_kind, scratch("lock"));
}
END_TEST

/* ---- Waiting while a library is loaded --------------------------------------------------------------- */

static struct caller beside;
static struct filelock *waited_for, *beside_handle;
static int waited;

static void wait_in_constructor(void)
{
    begin_acquire(&beside, beside_handle, FILELOCK_EXCLUSIVE, 100);
    wait_for_sleep(&beside); /* perhaps for the loader's lock, which this thread has */
    waited = filelock_acquire(waited_for, FILELOCK_EXCLUSIVE, 20);
}

/* Two threads wait for the first time at once: a constructor of a library, and another thread. */
START_TEST(test_wait_in_constructor)
{
    char address[32];
    used_kind = kind_at(_i);
    struct filelock *held = new_lock(used_kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    waited_for = new_lock(used_kind, scratch("lock"), 0);
    beside_handle = new_lock(used_kind, scratch("lock"), 0);
    caller_start(&beside);
    union {
        void (*call)(void);
        void *data;
    } function = { wait_in_constructor };
    snprintf(address, sizeof address, "%p", function.data);
    set_variable(PLUGIN_CALLS, address);
    waited = 0;
    plugin_load();
    EXPECT(waited, -ETIMEDOUT);
    EXPECT(end_call(&beside), -ETIMEDOUT);
    caller_end(&beside);
    plugin_unload();
    filelock_free(beside_handle);
    filelock_free(waited_for);
    filelock_free(held);
}
END_TEST
#endif

/* ---- Suite ------------------------------------------------------------------------------------------- */

Suite *make_suite(void)
{
    Suite *suite = suite_create("load");
    TCase *tcase = add_case(suite, "load");
    ADD_FOR_KINDS(tcase, test_fork_beside_first_use);
    ADD_FOR_KINDS(tcase, test_locks_in_fork_handlers);
    ADD_FOR_KINDS(tcase, test_held_in_exit_handlers);
    ADD_FOR_KINDS(tcase, test_exit_beside_begins);
#ifdef PLUGIN
    tcase = add_case(suite, "plugin");
    ADD_FOR_KINDS(tcase, test_unloaded_before_thread_ends);
    ADD_FOR_KINDS(tcase, test_unloaded_with_helper);
    ADD_FOR_KINDS(tcase, test_unloaded_holding);
    ADD_FOR_KINDS(tcase, test_plugin_held_in_exit_handlers);
    ADD_FOR_KINDS(tcase, test_wait_in_constructor);
#endif
    return suite;
}
