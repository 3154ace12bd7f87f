/* SPDX-License-Identifier: MIT
 *
 * test_limits_linux.c - what happens when the disk is full, or there is nothing left to watch with.  Also when the
 * clock is set, and when the path names another file again and again.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "syscalls_linux.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

/* ---- A full disk ------------------------------------------------------------------------------------- */

/* Mounts a file system of the test's own, with this much room.  Returns 0, or -1 where that is not possible. */
static int mount_small(const char *path, const char *room)
{
    ck_assert_int_eq(make_directory(path), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    return mount("none", path, "tmpfs", 0, room);
}

static void fill(const char *path)
{
    static const char page[4096] = "x";
    int fd = open_fd(path);
    for (int64_t at = 0; write_at(fd, page, sizeof page, at) > 0; at += (int64_t) sizeof page)
        ;
    close_fd(fd);
}

/* Fails the test unless every way of acquiring is refused without a trace, and works once there is room again. */
static void expect_refused(const struct kind *kind, unsigned flags, const char *filler)
{
    const char *path = scratch("small/lock");
    struct filelock *lock = new_lock(kind, path, flags);
    static const int64_t timeouts[] = { FILELOCK_TRY, 20, FILELOCK_FOREVER };
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeouts[i]), -ENOSPC);
        ck_assert_int_eq(filelock_held(lock), 0);
        if (!(kind->can & CAN_KEEP_FILE))
            expect_nothing_at(path);
        if (path_exists(path))
            expect_free(kind, path);
    }
    ck_assert_int_eq(remove_file(filler), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}

/* The record is a note for people.  Where there is no room for it, the file is locked without it. */
static void expect_held_unrecorded(const struct kind *kind, const char *path)
{
    struct filelock *lock = new_lock(kind, path, FILELOCK_RECORD_OWNER);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_contents(path, "");
    PEER_SAYS(peer_with(kind, path, 0), "-ETIMEDOUT", "acquire a exclusive 0");
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}

/* A marker needs room for its record.  A lock of the system needs no room. */
START_TEST(test_no_space)
{
    const struct kind *kind = kind_at(_i);
    if (mount_small(scratch("small"), "size=16k") != 0)
        SKIP("wants to be allowed a file system of its own");
    fill(scratch("small/filler"));
    if (kind->can & CAN_KEEP_FILE)
        expect_held_unrecorded(kind, scratch("small/lock"));
    else
        expect_refused(kind, 0, scratch("small/filler"));
    umount(scratch("small"));
}
END_TEST

START_TEST(test_no_inode)
{
    const struct kind *kind = kind_at(_i);
    if (mount_small(scratch("small"), "nr_inodes=2") != 0)
        SKIP("wants to be allowed a file system of its own");
    ck_assert_int_eq(write_file(scratch("small/filler"), "", 0), 0);
    expect_refused(kind, 0, scratch("small/filler"));
    umount(scratch("small"));
}
END_TEST

/* ---- Nothing to watch with --------------------------------------------------------------------------- */

#define INSTANCES 2900

static int instances[INSTANCES];
static int instances_used;

/* Takes all instances that this user may have. */
static void take_instances(void)
{
    struct rlimit many;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &many), 0);
    many.rlim_cur = many.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &many), 0);
    instances_used = 0;
    while ((instances[instances_used] = inotify_init1(IN_CLOEXEC)) >= 0)
        ck_assert_int_lt(++instances_used, INSTANCES);
}

static void give_instances(void)
{
    while (instances_used-- > 0)
        close_fd(instances[instances_used]);
}

static int instance_limit(void)
{
    char text[32] = "";
    return read_file("/proc/sys/fs/inotify/max_user_instances", text, sizeof text) > 0 ? atoi(text) : 0;
}

/* The wait is a little less prompt then.  The instances are taken by a user that no other program runs as. */
START_TEST(test_no_instances)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_ROOT();
    if (instance_limit() <= 0 || instance_limit() >= INSTANCES)
        SKIP("users may have too many instances of inotify(7)");
    struct peer *peer = peer_start();
    open_scratch();
    PEER_SAYS(peer, "0", "new a kind=%d mode=0666 path=%s", kind->kind, scratch("lock"));
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    become_nobody();
    take_instances();
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 30), -ETIMEDOUT);
    ck_assert_int_ge(now_ns() - start, 30000000);
    for (int finite = 0; finite < 2; finite++) {
        peer_send(peer, "release a");
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, finite ? PATIENCE_MS : FILELOCK_FOREVER), 0);
        PEER_ANSWERS(peer, "0");
        EXPECT(filelock_release(lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
    }
    filelock_free(lock);
    peer_end(peer);
    give_instances();
}
END_TEST

/* ---- The clock --------------------------------------------------------------------------------------- */

#define YEAR (365 * 86400)

static int64_t clock_offset; /* s */
static int clock_asked;

/* Opening this path takes until `hanging` can be read; -1: nothing hangs. */
static char hang_at[2048];
static int hanging = -1, hung;

/*
 * The next `times` files that are opened at `path` lose this name at once.  They move to another path, or, if that is
 * NULL, are removed.
 */
static struct {
    const char *path, *to;
    int times;
} losing;

#if defined __LP64__ && !UNDER_TSAN
/* Sets the wall clock in this program, for the library too. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int) syscall(SYS_clock_gettime, clock, now);
    __atomic_fetch_add(&clock_asked, 1, __ATOMIC_SEQ_CST);
    if (clock == CLOCK_REALTIME)
        now->tv_sec += __atomic_load_n(&clock_offset, __ATOMIC_SEQ_CST);
    return result;
}

static void lose(void)
{
    losing.times--;
    ck_assert_int_eq(losing.to ? rename(losing.path, losing.to) : unlink(losing.path), 0);
}

/* Makes a file hang, as on a server that does not answer, or lose its name, as when another process is quick. */
int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, int) : 0;
    va_end(more);
    if (hanging >= 0 && strcmp(path, hang_at) == 0) {
        char byte;
        __atomic_store_n(&hung, 1, __ATOMIC_SEQ_CST);
        while (read(hanging, &byte, 1) < 0 && errno == EINTR)
            ;
    }
    int fd = (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && losing.times > 0 && strcmp(path, losing.path) == 0)
        lose();
    return fd;
}
#endif

static void set_clock(int64_t offset)
{
    __atomic_store_n(&clock_offset, offset, __ATOMIC_SEQ_CST);
}

/* True if the library asks the clock of this program, as it does for a deadline. */
static int clock_can_be_set(const struct kind *kind)
{
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *other = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    clock_asked = 0;
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, 1), -ETIMEDOUT);
    int asked = clock_asked;
    filelock_free(other);
    filelock_free(lock);
    return asked > 0;
}

/* The clock goes a year back, and a year ahead, between waits and during waits. */
static const int64_t settings[] = { 0, -YEAR, YEAR, 0, YEAR, -YEAR };

START_TEST(test_clock_set)
{
    const struct kind *kind = kind_at(_i);
    if (!clock_can_be_set(kind))
        SKIP("the clock cannot be set for a program here");
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    caller_start(&caller);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        set_clock(settings[i]);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        int64_t start = now_ns();
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 25);
        set_clock(settings[(i + 1) % 6]);
        EXPECT(end_call(&caller), -ETIMEDOUT);
        EXPECT_TOOK(start, 25);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, i % 2 ? PATIENCE_MS : FILELOCK_FOREVER);
        wait_for_queued(kind, scratch("lock"), &caller);
        set_clock(settings[(i + 2) % 6]);
        nap_ms(5);
        ck_assert(still_calling(&caller));
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A fork waits while another thread opens a file, but not for long, whatever the wall clock says. */
START_TEST(test_clock_set_at_fork)
{
    const struct kind *kind = kind_at(_i / 2);
    int ends[2];
    if (!clock_can_be_set(kind))
        SKIP("the clock cannot be set for a program here");
    ck_assert_int_eq(pipe(ends), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    caller_start(&caller);
    snprintf(hang_at, sizeof hang_at, "%s", scratch("lock"));
    if (!(kind->can & CAN_KEEP_FILE))
        *strrchr(hang_at, '/') = '\0'; /* a file without a name is made in this directory */
    hung = 0;
    hanging = ends[0];
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    EVENTUALLY(__atomic_load_n(&hung, __ATOMIC_SEQ_CST));
    set_clock(_i % 2 ? YEAR : -YEAR); /* as the library reads it: as if it were set back, or ahead, just after */
    int64_t start = now_ns();
    pid_t pid = fork();
    if (pid == 0)
        kill(getpid(), SIGKILL); /* so that no checker looks at the other thread's memory */
    EXPECT_TOOK(start, 100);
    ck_assert_int_eq(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS), 128 + SIGKILL);
    ck_assert(still_calling(&caller));
    close(ends[1]); /* now the file opens */
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
    hanging = -1;
    close(ends[0]);
}
END_TEST

/* A helper thread that has nothing to do ends after two seconds, whatever the wall clock says. */
START_TEST(test_clock_set_while_idle)
{
    const struct kind *kind = kind_at(_i / 2);
    int threads = thread_count() + 1; /* 1 for the caller */
    if (!clock_can_be_set(kind))
        SKIP("the clock cannot be set for a program here");
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    caller_start(&caller);
    EVENTUALLY(thread_count() == threads);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_queued(kind, scratch("lock"), &caller);
    wait_for_sleep(&caller);
    set_clock(_i % 2 ? YEAR : -YEAR);
    int64_t start = now_ns();
    PEER_SAYS(peer, "0", "release a");
    EXPECT(end_call(&caller), 0);
    threads += kind->can & CAN_LAST ? 0 : 2; /* the threads that renew a lease stay while it is held */
    EVENTUALLY(thread_count() == threads);
    EXPECT_TOOK(start, 1900);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

static void date(const char *path, int64_t offset)
{
    struct timespec when[2];
    clock_gettime(CLOCK_REALTIME, &when[0]);
    when[0].tv_sec += (time_t) offset;
    when[1] = when[0];
    ck_assert_int_eq(utimensat(AT_FDCWD, path, when, 0), 0);
}

/* Neither a live holder's marker nor a lease gets older or younger by the date of its file. */
START_TEST(test_marker_dated)
{
    NEEDS_SOFT();
    int64_t offset = settings[_i];
    put_marker(scratch("lock"), marker_record(own_pid()));
    date(scratch("lock"), offset);
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    put_marker(scratch("lock"), "filelock/2\npid=1\nhost=another.host\nmode=lease\ntoken=1\nduration=2.0\n");
    date(scratch("lock"), offset);
    int64_t start = now_ns();
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    ck_assert_int_ge(now_ns() - start, 2000000000);
    put_marker(scratch("lock"), marker_record(dead_pid()));
    date(scratch("lock"), offset);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
}
END_TEST

/* ---- Another file, again and again ------------------------------------------------------------------- */

#define ALWAYS INT_MAX

static void lose_files(const char *to, int times)
{
    losing.path = scratch("lock");
    losing.to = to;
    losing.times = times;
}

static int files_can_be_lost(const struct kind *kind)
{
    lose_files(NULL, 1);
    expect_free(kind, scratch("lock"));
    return losing.times == 0;
}

#define NEEDS_LOSSES(kind)                                  \
    do {                                                    \
        NEEDS(kind, CAN_KEEP_FILE | CAN_BE_REPLACED);       \
        if (!files_can_be_lost(kind))                       \
            SKIP("files cannot be lost by a program here"); \
    } while (0)

/* Acquires a lock that is free, but whose file gets lost. */
static int acquire_losing(struct filelock *lock, int64_t timeout_ms, const char *to, int times)
{
    lose_files(to, times);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
    ck_assert(result != 0 || losing.times == 0);
    losing.times = 0;
    EXPECT(filelock_check(lock), result == 0 ? 0 : -EPERM);
    EXPECT(filelock_release(lock), result == 0 ? 0 : -EPERM);
    return result;
}

/*
 * Another process may be quick to remove the file: then the acquire tries again.  But if the path keeps leading
 * elsewhere although no file was removed, the acquire fails.
 */
START_TEST(test_files_lost)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_LOSSES(kind);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_UNLINK);
    EXPECT(acquire_losing(lock, FILELOCK_TRY, NULL, 20), 0);
    EXPECT(acquire_losing(lock, FILELOCK_TRY, NULL, ALWAYS), -ETIMEDOUT);
    EXPECT(acquire_losing(lock, PATIENCE_MS, NULL, 1100), 0);
    EXPECT(acquire_losing(lock, FILELOCK_FOREVER, NULL, 1100), 0);
    EXPECT(acquire_losing(lock, FILELOCK_TRY, scratch("away"), 500), 0);
    EXPECT(acquire_losing(lock, FILELOCK_TRY, scratch("away"), ALWAYS), -ESTALE);
    EXPECT(acquire_losing(lock, FILELOCK_FOREVER, scratch("away"), ALWAYS), -ESTALE);
    filelock_free(lock);
}
END_TEST

START_TEST(test_files_lost_within_limits)
{
    const struct kind *kind = kind_at(_i);
    NEEDS_LOSSES(kind);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    struct signal_pair pair;
    waitable_open(&pair);
    options.kind = kind->kind;
    options.cancel = pair.waitable;
    ck_assert_int_eq(filelock_new(&lock, scratch("lock"), &options), 0);
    int64_t start = now_ns();
    EXPECT(acquire_losing(lock, 50, NULL, ALWAYS), -ETIMEDOUT);
    EXPECT_TOOK(start, 50);
    waitable_set(&pair);
    EXPECT(acquire_losing(lock, FILELOCK_FOREVER, NULL, ALWAYS), -ECANCELED);
    EXPECT(acquire_losing(lock, PATIENCE_MS, NULL, ALWAYS), -ECANCELED);
    filelock_free(lock);
    waitable_close(&pair);
}
END_TEST

/* A waiter loses the file that it waits for, and then every file that is made. */
START_TEST(test_files_lost_by_waiter)
{
    const struct kind *kind = kind_at(_i / 2);
    const char *to = _i % 2 ? scratch("away") : NULL;
    NEEDS_LOSSES(kind);
    struct peer *holder = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    caller_start(&caller);
    for (int finite = 0; finite < 2; finite++) {
        PEER_SAYS(holder, "0", "acquire a exclusive 0");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, finite ? PATIENCE_MS : FILELOCK_FOREVER);
        wait_for_queued(kind, scratch("lock"), &caller);
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
        lose_files(to, 1100);
        PEER_SAYS(holder, "0", "release a");
        EXPECT(end_call(&caller), to ? -ESTALE : 0);
        ck_assert(to || losing.times == 0);
        losing.times = 0;
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), to ? -EPERM : 0);
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* ---- Containers that refuse kcmp(2) --------------------------------------------------------------------- */

/* Returns the number of threads of this process. */
static int threads_here(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    closedir(tasks);
    return count;
}

/* True if every thread of this process but the first sleeps. */
static int others_asleep(void)
{
    int asleep = 1;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        int64_t id = atoll(task->d_name);
        asleep = asleep && (id == 0 || id == own_pid() || task_asleep(own_pid(), id) != 0);
    }
    closedir(tasks);
    return asleep;
}

/* Waits until the helper whose call has returned is back.  A single look may catch it between two waits. */
static void wait_for_rest(void)
{
    for (int seen = 0; seen < 2; seen = others_asleep() ? seen + 1 : 0)
        nap_ms(1);
}

/* The helper that is kept idle serves the next wait too. */
START_TEST(test_tables_cannot_be_compared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_QUEUE);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct caller caller;
    int threads = 0;
    if (under_valgrind() || deny(SYS_kcmp, 0, 0, EPERM) != 0)
        SKIP("system calls cannot be denied here");
    caller_start(&caller);
    for (int i = 0; i < 6; i++) {
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
        wait_for_queue(kind, scratch("lock"), 1);
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        if (i == 0)
            threads = threads_here();
        ck_assert_int_le(threads_here(), threads + 1); /* a helper whose call has returned may be on its way back */
        wait_for_rest();
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("limits, Linux");
    TCase *tcase = add_case(suite, "full");
    ADD_FOR_KINDS(tcase, test_no_space);
    ADD_FOR_KINDS(tcase, test_no_inode);
    tcase = add_case(suite, "kcmp");
    ADD_FOR_KINDS(tcase, test_tables_cannot_be_compared);
    tcase = add_case(suite, "watches");
    ADD_FOR_KINDS(tcase, test_no_instances);
    tcase = add_case(suite, "clock");
    ADD_FOR_KINDS(tcase, test_clock_set);
    tcase_add_loop_test(tcase, test_clock_set_at_fork, 0, 2 * kinds_count());
    tcase_add_loop_test(tcase, test_clock_set_while_idle, 0, 2 * kinds_count());
    tcase_add_loop_test(tcase, test_marker_dated, 0, 3);
    tcase = add_case(suite, "lost files");
    ADD_FOR_KINDS(tcase, test_files_lost);
    ADD_FOR_KINDS(tcase, test_files_lost_within_limits);
    tcase_add_loop_test(tcase, test_files_lost_by_waiter, 0, 2 * kinds_count());
    return suite;
}
