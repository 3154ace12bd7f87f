/* SPDX-License-Identifier: MIT
 *
 * test_lease.c - leases: what their markers say, when they end, and how their holders learn of that.
 *
 * A machine may be so busy that a lease ends by itself: no test relies on a lease that outlives a pause.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LONG_MS 600000 /* a lease that does not end during a test */
#define SHORT_MS 600   /* a lease that is to end during a test */
#define HUNG_MS 20     /* a lease that is not renewed at all */

static const struct kind *lease_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_LEASE)
            return kind_at(i);
    return NULL;
}

#define NEEDS_LEASE()                             \
    do {                                          \
        if (!lease_kind())                        \
            SKIP("this build has no kind lease"); \
    } while (0)

static struct filelock *new_lease(int64_t ms, unsigned flags)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.kind = FILELOCK_KIND_LEASE;
    options.lease_ms = ms;
    options.flags = flags;
    return new_lock_with(&options, scratch("lock"));
}

static struct filelock *held_lease(int64_t ms, unsigned flags)
{
    struct filelock *lock = new_lease(ms, flags);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return lock;
}

static struct peer *peer_lease(int64_t ms)
{
    struct peer *peer = peer_start();
    PEER_SAYS(peer, "0", "new a kind=%d lease=%lld path=%s", FILELOCK_KIND_LEASE, (long long) ms, scratch("lock"));
    return peer;
}

/* Makes the marker of a lease as Python writes it. */
static void put_lease(const char *format)
{
    char text[MARKER_SIZE];
    fill_marker(format, text);
    put_marker(scratch("lock"), text);
}

static int is_lost(const struct filelock *lock)
{
    return readable_within(filelock_lost(lock), 0);
}

static void expect_sentence(const struct filelock *lock, int error, const char *part)
{
    char text[4096];
    filelock_describe(lock, error, text, sizeof text);
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" does not say \"%s\"", text, part);
}

static int64_t written(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t) st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : -1;
}

/* ---- The record ------------------------------------------------------------------------------- */

/* Fails the test unless the marker is the record of a lease of this process.  Stores its token. */
static void expect_record(const char *duration, char token[33])
{
    char text[MARKER_SIZE], want[MARKER_SIZE];
    ck_assert_int_gt(read_file(scratch("lock"), text, sizeof text), 0);
    const char *found = strstr(text, "\ntoken=");
    ck_assert_ptr_nonnull(found);
    snprintf(token, 33, "%s", found + strlen("\ntoken="));
    ck_assert_uint_eq(strspn(token, "0123456789abcdef"), 32);
    int length = snprintf(want, sizeof want, "filelock/2\npid=%lld\nhost=%s\nmode=lease\ntoken=%s\nduration=%s\n",
                          (long long) own_pid(), marker_host(), token, duration);
    if (*marker_token(own_pid()))
        snprintf(want + length, sizeof want - (size_t) length, "start=%s\n", marker_token(own_pid()));
    ck_assert_str_eq(text, want);
}

START_TEST(test_record)
{
    NEEDS_LEASE();
    static const struct {
        int64_t ms;
        const char *duration;
    } leases[] = {
        { 0, "30.0" }, { LONG_MS, "600.0" }, { 60250, "60.25" }, { 61001, "61.001" }, { 999999999999, "999999999.999" }
    };
    char token[33], other[33];
    for (size_t i = 0; i < sizeof leases / sizeof *leases; i++) {
        struct filelock *lock = held_lease(leases[i].ms, 0);
        expect_record(leases[i].duration, token);
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_record(leases[i].duration, other);
        ck_assert_str_ne(token, other);
        filelock_free(lock);
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

START_TEST(test_options)
{
    NEEDS_LEASE();
    struct filelock_options options = options_of(lease_kind());
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("other"));
    options.flags = FILELOCK_FORK_SHARE;
    EXPECT(filelock_new(&lock, scratch("lock"), &options), -EINVAL);
    options.flags = 0;
    options.lease_ms = 1000000000000;
    EXPECT(filelock_new(&lock, scratch("lock"), &options), -EINVAL);
    options.lease_ms = 0;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), -EINVAL);
    close_fd(fd);
    lock = held_lease(LONG_MS, 0);
    EXPECT(filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY), -ENOTSUP);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -EINVAL);
    filelock_free(lock);
}
END_TEST

START_TEST(test_held)
{
    NEEDS_LEASE();
    int64_t ms = -1;
    uint64_t token = 4711;
    struct filelock *lock = new_lease(LONG_MS, 0);
    EXPECT(filelock_remaining(lock, &ms), -EPERM);
    ck_assert_int_eq(filelock_lost(lock), FILELOCK_NO_WAITABLE);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_remaining(lock, &ms), 0);
        ck_assert_int_gt(ms, 0);
        ck_assert_int_le(ms, LONG_MS);
        EXPECT(filelock_token(lock, &token), -ENOTSUP);
        EXPECT(filelock_check(lock), 0);
        ck_assert_int_ge(filelock_lost(lock), 0);
        ck_assert_int_eq(is_lost(lock), 0);
    }
    expect_taken(soft_kind(), scratch("lock"));
    int fd = filelock_lost(lock);
    EXPECT(filelock_release_all(lock), 0);
    ck_assert_msg(!fd_is_open(fd), "the waitable outlives the lock");
    EXPECT(filelock_remaining(lock, &ms), -EPERM);
    ck_assert_int_eq(filelock_lost(lock), FILELOCK_NO_WAITABLE);
    filelock_free(lock);
}
END_TEST

/* A lease needs a descriptor to tell of its loss, and a thread.  Without one of them it is not held. */
START_TEST(test_no_descriptors)
{
    NEEDS_LEASE();
    struct rlimit limit, few;
    int refused = 0, result = -EMFILE;
    struct filelock *lock = new_lease(LONG_MS, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    for (few.rlim_cur = 0; result != 0; few.rlim_cur++) {
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        ck_assert_msg(result == 0 || result == -EMFILE, "%s", result_name(result));
        ck_assert_int_eq(path_exists(scratch("lock")), result == 0);
        refused += result != 0;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_gt(refused, 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_no_thread)
{
    NEEDS_LEASE();
    if (geteuid() == 0) {
        open_scratch();
        become_nobody();
    }
    struct rlimit before, none;
    struct filelock *lock = new_lease(LONG_MS, 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    none = (struct rlimit) { 0, before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &before), 0);
    if (result == 0)
        SKIP("threads cannot be forbidden here");
    EXPECT(result, -EAGAIN);
    ck_assert_int_eq(filelock_held(lock), 0);
    ck_assert_int_eq(path_exists(scratch("lock")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* ---- Renewing --------------------------------------------------------------------------------- */

/* Holds for longer than the duration.  False if the machine was so busy that the lease ended. */
static int outlives(int64_t ms)
{
    struct filelock *lock = held_lease(ms, 0), *other = new_lease(ms, 0);
    int64_t first = written(scratch("lock"));
    int result = filelock_acquire(other, FILELOCK_EXCLUSIVE, ms * 2), held = filelock_check(lock) == 0;
    if (held || result != 0)
        EXPECT(result, -ETIMEDOUT);
    else
        EXPECT(filelock_release(other), 0);
    if (held)
        ck_assert_int_gt(written(scratch("lock")), first);
    EXPECT(filelock_release(lock), held ? 0 : -ESTALE);
    filelock_free(lock);
    filelock_free(other);
    remove_file(scratch("lock"));
    return held;
}

START_TEST(test_renewed)
{
    NEEDS_LEASE();
    int tries = 0;
    while (!outlives(SHORT_MS << tries))
        ck_assert_int_lt(++tries, 5);
}
END_TEST

#ifdef __linux__
static void count_thread(const char *name, void *count)
{
    (void) name;
    ++*(int *) count;
}

static int threads(void)
{
    int count = 0;
    ck_assert_int_eq(each_entry("/proc/self/task", count_thread, &count), 0);
    return count;
}

static void look_at_mask(const char *name, void *blocked)
{
    char path[512], text[8192], *mask;
    if (atoll(name) == (long long) own_pid())
        return;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", name);
    if (read_file(path, text, sizeof text) > 0 && (mask = strstr(text, "\nSigBlk:")) != NULL)
        *(unsigned long long *) blocked = strtoull(mask + strlen("\nSigBlk:"), NULL, 16);
}

/* Two threads for all leases, which handle no signal of the program, and end some time after the last. */
START_TEST(test_thread)
{
    NEEDS_LEASE();
    if (UNDER_TSAN || under_valgrind())
        SKIP("there are other threads");
    if (getenv("FILELOCK_TEST_EMULATOR"))
        SKIP("the emulator has threads of its own");
    unsigned long long blocked = 0;
    struct filelock *lock = held_lease(LONG_MS, 0);
    struct filelock_options options = options_of(lease_kind());
    struct filelock *other = new_lock_with(&options, scratch("other"));
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EVENTUALLY(threads() == 3); /* a thread that is not needed ends */
    EVENTUALLY(each_entry("/proc/self/task", look_at_mask, &blocked) == 0 && (blocked & 1ULL << (SIGUSR1 - 1)));
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(threads(), 3);
    EXPECT(filelock_release(other), 0);
    EVENTUALLY(threads() == 1);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(threads(), 3);
    filelock_free(lock);
    filelock_free(other);
}
END_TEST
#endif

/* ---- Losing ----------------------------------------------------------------------------------- */

/* Fails the test unless the lock, which is two levels deep, behaves as a lost one.  Releases it. */
static void expect_lost(struct filelock *lock, const char *reason)
{
    int64_t ms = 4711;
    EVENTUALLY(is_lost(lock));
    EXPECT(filelock_check(lock), -ESTALE);
    expect_sentence(lock, -ESTALE, reason);
    ck_assert_int_eq(filelock_held(lock), 1);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ESTALE);
    expect_sentence(lock, -ESTALE, reason);
    ck_assert_uint_eq(filelock_depth(lock), 2);
    EXPECT(filelock_remaining(lock, &ms), 0);
    ck_assert_int_eq(ms, 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(filelock_held(lock), 1);
    EXPECT(filelock_release(lock), -ESTALE);
    expect_sentence(lock, -ESTALE, reason);
    ck_assert_int_eq(filelock_held(lock), 0);
    EXPECT(filelock_release(lock), -EPERM);
    ck_assert_int_eq(filelock_lost(lock), FILELOCK_NO_WAITABLE);
}

/* On a busy machine the thread may look when the lease has ended by itself: then that is the reason. */
static const char *reason_since(int64_t start, int64_t lease_ms, const char *reason)
{
    return now_ns() - start < lease_ms * 1000000 ? reason : "the lease was lost";
}

START_TEST(test_removed)
{
    NEEDS_LEASE();
    int64_t start = now_ns(), lease_ms = 1500;
    struct filelock *lock = held_lease(lease_ms, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(remove_file(scratch("lock")), 0);
    EXPECT(filelock_check(lock), -ESTALE);
    EVENTUALLY(is_lost(lock));
    expect_lost(lock, reason_since(start, lease_ms, "its file was removed"));
    ck_assert_int_eq(path_exists(scratch("lock")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_taken_over)
{
    NEEDS_LEASE();
    int64_t start = now_ns(), lease_ms = 1500;
    struct filelock *lock = held_lease(lease_ms, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    put_marker(scratch("other"), marker_record(system_pid()));
    ck_assert_int_eq(rename_over(scratch("other"), scratch("lock")), 0);
    int64_t time = written(scratch("lock"));
    uint64_t identity = file_identity(scratch("lock"));
    EVENTUALLY(is_lost(lock));
    expect_lost(lock, reason_since(start, lease_ms, "another holder has taken it over"));
    expect_contents(scratch("lock"), marker_record(system_pid()));
    ck_assert_int_eq(written(scratch("lock")), time);
    ck_assert_uint_eq(file_identity(scratch("lock")), identity);
    filelock_free(lock);
}
END_TEST

/* A release may be the first to find that the marker is another's. */
START_TEST(test_release_finds_loss)
{
    NEEDS_LEASE();
    for (int removed = 0; removed < 2; removed++) {
        struct filelock *lock = held_lease(LONG_MS, 0);
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
        if (!removed)
            put_marker(scratch("lock"), marker_record(system_pid()));
        EXPECT(filelock_release(lock), -ESTALE);
        expect_sentence(lock, -ESTALE, removed ? "its file was removed" : "another holder has taken it over");
        ck_assert_int_eq(path_exists(scratch("lock")), !removed);
        filelock_free(lock);
        remove_file(scratch("lock"));
    }
}
END_TEST

/* A program that closes the descriptor cannot renew any more. */
START_TEST(test_closed)
{
    NEEDS_LEASE();
    struct filelock *lock = held_lease(SHORT_MS, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    close_fd(filelock_fd(lock));
    expect_lost(lock, "it was not renewed in time");
    filelock_free(lock);
}
END_TEST

/* A handle that is freed leaves another's marker alone, too. */
START_TEST(test_freed_after_loss)
{
    NEEDS_LEASE();
    struct filelock *lock = held_lease(SHORT_MS, 0);
    close_fd(filelock_fd(lock));
    EVENTUALLY(is_lost(lock));
    filelock_free(lock);
    ck_assert_int_eq(path_exists(scratch("lock")), 1);
}
END_TEST

/* A holder that is stopped beyond its time loses the lease to a contender, and learns of it as soon as it goes on. */
START_TEST(test_stopped)
{
    NEEDS_LEASE();
    char ours[MARKER_SIZE];
    struct peer *peer = peer_lease(SHORT_MS);
    struct filelock *lock = new_lease(SHORT_MS, 0);
    int status;
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    ck_assert_int_eq(kill((pid_t) peer_pid(peer), SIGSTOP), 0);
    ck_assert_int_eq(waitpid((pid_t) peer_pid(peer), &status, WUNTRACED), (pid_t) peer_pid(peer));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_gt(read_file(scratch("lock"), ours, sizeof ours), 0);
    uint64_t identity = file_identity(scratch("lock"));
    ck_assert_int_eq(kill((pid_t) peer_pid(peer), SIGCONT), 0);
    PEER_SAYS(peer, "lost", "lost a %d", PATIENCE_MS);
    PEER_SAYS(peer, "-ESTALE", "check a");
    PEER_SAYS(peer, "0", "remaining a");
    PEER_SAYS(peer, "1", "held a");
    PEER_SAYS(peer, "2", "depth a");
    PEER_SAYS(peer, "-ESTALE", "acquire a exclusive 0");
    ck_assert_ptr_nonnull(strstr(peer_ask(peer, "describe a -ESTALE"), "it was not renewed in time"));
    PEER_SAYS(peer, "0", "release a");
    PEER_SAYS(peer, "-ESTALE", "release a");
    PEER_SAYS(peer, "0", "held a");
    ck_assert_uint_eq(file_identity(scratch("lock")), identity);
    expect_contents(scratch("lock"), ours);
    expect_nothing_beside(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* ---- A file server that hangs ------------------------------------------------------------------ */

#ifdef __linux__
static pthread_mutex_t server = PTHREAD_MUTEX_INITIALIZER; /* locked: the server hangs */
static uint64_t served;                                    /* the file of that server; 0: none */
static int asked;                                          /* it was asked for that file */
static int refuses;                                        /* no file may be given times */

/* Stands in for the call of the C library, which it makes by another name of the file. */
int futimens(int fd, const struct timespec times[2])
{
    char name[64];
    struct stat st;
    uint64_t file = __atomic_load_n(&served, __ATOMIC_SEQ_CST);
    if (file != 0 && fstat(fd, &st) == 0 && st.st_ino == file) {
        __atomic_store_n(&asked, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(&server);
        pthread_mutex_unlock(&server);
    }
    if (__atomic_load_n(&refuses, __ATOMIC_SEQ_CST)) {
        errno = EPERM;
        return -1;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return utimensat(AT_FDCWD, name, times, 0);
}

static int was_asked(void)
{
    return __atomic_load_n(&asked, __ATOMIC_SEQ_CST);
}

static void hang(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    pthread_mutex_lock(&server);
    __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&served, (uint64_t) st.st_ino, __ATOMIC_SEQ_CST);
}

static void go_on(void)
{
    __atomic_store_n(&served, 0, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&server);
}

/* Fails the test if a holder is not told of its loss in time.  False if the server was not asked before that. */
static int told_beside_hang(int64_t ms)
{
    struct filelock *lock = held_lease(ms, 0);
    int lost = filelock_lost(lock);
    hang(scratch("lock"));
    int told = readable_within(lost, PATIENCE_MS), hung = was_asked();
    go_on();
    ck_assert_msg(told, "the holder was not told");
    EXPECT(filelock_release(lock), -ESTALE);
    expect_sentence(lock, -ESTALE, "it was not renewed in time");
    filelock_free(lock);
    remove_file(scratch("lock"));
    return hung;
}

/* A holder is told in time, though the server has not answered yet.  The test asks no question meanwhile. */
START_TEST(test_told_beside_hang)
{
    NEEDS_LEASE();
    int tries = 0;
    while (!told_beside_hang(SHORT_MS << tries))
        ck_assert_int_lt(++tries, 5);
}
END_TEST

/* A holder that may not set times renews all the same, and leaves its record as it is. */
START_TEST(test_times_refused)
{
    NEEDS_LEASE();
    __atomic_store_n(&refuses, 1, __ATOMIC_SEQ_CST);
    int tries = 0;
    while (!outlives(SHORT_MS << tries))
        ck_assert_int_lt(++tries, 4);
    char token[33];
    struct filelock *lock = held_lease(1500, 0);
    int64_t first = written(scratch("lock"));
    while (filelock_check(lock) == 0 && written(scratch("lock")) == first)
        nap_ms(1);
    expect_record("1.5", token);
    filelock_free(lock);
}
END_TEST

enum question { REMAINING, CHECK, LOST, QUESTIONS };

struct asking {
    struct filelock *lock;
    enum question question;
};

/* Asks until the lease has ended, while the thread is to be cancelled as soon as it makes a call that allows that. */
static void *ask_cancelled(void *arg)
{
    const struct asking *asking = arg;
    int64_t ms, end = now_ns() + 2 * HUNG_MS * 1000000;
    pthread_cancel(pthread_self());
    while (now_ns() < end) {
        if (asking->question == REMAINING)
            filelock_remaining(asking->lock, &ms);
        else if (asking->question == CHECK)
            filelock_check(asking->lock);
        else
            filelock_lost(asking->lock);
    }
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return arg;
}

/* A question finds that the lease has ended, mostly before the library's thread does.  It is no cancellation point. */
START_TEST(test_asked_by_cancelled)
{
    NEEDS_LEASE();
    struct filelock *lock = new_lease(HUNG_MS, FILELOCK_ANY_THREAD);
    for (int i = 0; i < 3 * QUESTIONS; i++) {
        struct asking asking = { lock, (enum question)(i % QUESTIONS) };
        pthread_t thread;
        void *answered = NULL;
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
        hang(scratch("lock"));
        ck_assert_int_eq(pthread_create(&thread, NULL, ask_cancelled, &asking), 0);
        ck_assert_int_eq(pthread_join(thread, &answered), 0);
        go_on();
        ck_assert_msg(answered == &asking, "the thread was cancelled in the question");
        EXPECT(filelock_release(lock), -ESTALE);
        remove_file(scratch("lock"));
    }
    filelock_free(lock);
}
END_TEST

/* Another file system than that of the scratch directory, where there is one. */
static const char *elsewhere(void)
{
    static char path[64];
    struct stat there, here;
    snprintf(path, sizeof path, "/dev/shm/filelock-test-%lld", (long long) own_pid());
    if (stat("/dev/shm", &there) != 0 || stat(scratch("."), &here) != 0 || there.st_dev == here.st_dev ||
        access("/dev/shm", W_OK) != 0)
        return NULL;
    return path;
}

/* True if a lease was renewed while the server of another hung.  Else it ended by itself. */
static int renewed_beside(const char *hanging, int64_t ms)
{
    struct filelock_options options = options_of(lease_kind());
    options.lease_ms = SHORT_MS;
    struct filelock *other = new_lock_with(&options, hanging), *lock = held_lease(ms, 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    hang(hanging);
    EVENTUALLY(was_asked() || is_lost(other));
    int64_t first = written(scratch("lock"));
    while (filelock_check(lock) == 0 && written(scratch("lock")) == first)
        nap_ms(1);
    int renewed = was_asked() && written(scratch("lock")) > first;
    go_on();
    filelock_free(other);
    filelock_free(lock);
    remove_file(scratch("lock"));
    remove_file(hanging);
    return renewed;
}

START_TEST(test_renewed_beside_hang)
{
    NEEDS_LEASE();
    const char *hanging = elsewhere();
    if (!hanging)
        SKIP("there is only one file system");
    int tries = 0;
    while (!renewed_beside(hanging, 1500 << tries))
        ck_assert_int_lt(++tries, 4);
}
END_TEST
#endif

/* ---- Contending ------------------------------------------------------------------------------- */

START_TEST(test_killed)
{
    NEEDS_LEASE();
    struct peer *peer = peer_lease(LONG_MS);
    struct filelock *lock = new_lease(LONG_MS, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    peer_kill(peer);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    expect_nothing_beside(scratch("lock"));
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* A waiter is told of a release and of a death by the system, and does not wait for the end of the duration. */
START_TEST(test_handed_over)
{
    NEEDS_LEASE();
    static struct caller caller;
    caller_start(&caller);
    struct filelock *lock = new_lease(LONG_MS, 0);
    for (int killing = 0; killing < 2; killing++) {
        struct peer *peer = peer_lease(LONG_MS);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
        wait_for_sleep(&caller);
        if (killing)
            process_kill(&(struct process) { peer_pid(peer), -1, -1 });
        else
            PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
        peer_kill(peer);
    }
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* Leases that end after 1 s, whether or not their owners are alive. */
static const char *const ending[] = {
    LEASE("%1", "%4", "lease", "1.0"),
    LEASE("%6", "", "lease", "1"),
    "filelock/2\npid=%2\nhost=another.host\nmode=lease\ntoken=1\nduration=1.0\nstart=5\nnew=field\n",
    "filelock/2\npid=%1\nhost=another.host\nmode=lease\ntoken=0123456789abcdef0123456789abcdef0\nduration=1e+00\n",
};

START_TEST(test_ends)
{
    NEEDS_LEASE();
    struct filelock *lock = new_lease(1000, 0);
    put_lease(ending[_i]);
    int fd = open_fd(scratch("lock"));
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0); /* its lock proves no more than that the owner is alive */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_gt(now_ns() - start, 500000000); /* the first look was before the start */
    expect_nothing_beside(scratch("lock"));
    close_fd(fd);
    filelock_free(lock);
}
END_TEST

static const char *const short_leases[] = {
    LEASE("%1", "%4", "lease", "0.1"),
    LEASE("%1", "%4", "lease", "1e-30"),
};

/* Soft locks go by the duration of a lease, too. */
START_TEST(test_ends_for_soft)
{
    NEEDS_LEASE();
    put_lease(short_leases[_i]);
    int fd = open_fd(scratch("lock"));
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    int64_t start = now_ns();
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    ck_assert_int_gt(now_ns() - start, (int64_t) GRACE_MS * 1000000);
    close_fd(fd);
}
END_TEST

/* Changes a marker again and again, as long as the test goes on. */
struct changing {
    int how;
    int stop; /* set while the thread runs */
};

static void change(void *arg)
{
    struct changing *changing = arg;
    char text[MARKER_SIZE];
    for (int i = 0; !__atomic_load_n(&changing->stop, __ATOMIC_SEQ_CST); i++) {
        if (changing->how == 0) {
            touch_file(scratch("lock"));
        } else {
            struct timespec same[2] = { { 1, 0 }, { 1, 0 } };
            int fd = open(scratch("lock"), O_WRONLY);
            fill_marker(LEASE("%1", "%4", "lease", "1"), text);
            text[strlen(text) - 1] = '\0';
            strcat(text, i % 2 ? "\nx=1\n" : "\nx=2\n");
            if (fd >= 0 && pwrite(fd, text, strlen(text), 0) > 0)
                futimens(fd, same);
            close(fd);
        }
        nap_ms(20);
    }
}

/* Returns the result of an acquire whose time is twice the duration. */
static int acquire_changing(int how)
{
    struct changing changing = { how, 0 };
    struct worker worker;
    struct filelock *lock = new_lease(1000, 0);
    put_lease(LEASE("%1", "%4", "lease", "1"));
    ck_assert_int_eq(worker_start(&worker), 0);
    worker_send(&worker, change, &changing);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 2000);
    __atomic_store_n(&changing.stop, 1, __ATOMIC_SEQ_CST);
    worker_end(&worker);
    filelock_free(lock);
    remove_file(scratch("lock"));
    return result;
}

/* A lease lasts as long as its time or its contents change.  On a busy machine they may not, for its duration. */
START_TEST(test_lasts)
{
    NEEDS_LEASE();
    for (int tries = 0; acquire_changing(_i) != -ETIMEDOUT; tries++)
        ck_assert_int_lt(tries, 5);
}
END_TEST

static const char *const held_for_ever[] = {
    LEASE("%1", "%4", "exclusive", "0.1"),
    LEASE("%1", "%4", "whatever", "0.1"),
    LEASE("%2", "%4", "whatever", "0.1"),
    "%1\n%3\n%4\n",
    "%2\nanother.host\n",
};

START_TEST(test_held_for_ever)
{
    NEEDS_LEASE();
    char text[MARKER_SIZE];
    struct filelock *lock = new_lease(100, 0);
    fill_marker(held_for_ever[_i], text);
    put_marker(scratch("lock"), text);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 300), -ETIMEDOUT);
    expect_contents(scratch("lock"), text);
    filelock_free(lock);
}
END_TEST

static const char *const dead[] = {
    LEASE("%2", "%4", "lease", "30"),
    LEASE("%2", "%4", "lease", "4711"), /* a dead owner does not mind another duration */
    LEASE("%2", "%4", "exclusive", "30"),
    "%2\n%3\n%4\n",
};

START_TEST(test_dead)
{
    NEEDS_LEASE();
    struct filelock *lock = new_lease(30000, 0);
    put_lease(dead[_i]);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_nothing_beside(scratch("lock"));
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

START_TEST(test_never_broken)
{
    NEEDS_LEASE();
    struct filelock *lock = new_lease(100, FILELOCK_NEVER_BREAK);
    put_lease(LEASE("%1", "%4", "lease", "0.1"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 500), -ETIMEDOUT);
    filelock_free(lock);
}
END_TEST

/* Two durations on one path: each would judge the other by a wrong time. */
START_TEST(test_other_duration)
{
    NEEDS_LEASE();
    char text[MARKER_SIZE];
    struct filelock *lock = new_lease(10250, _i ? FILELOCK_NEVER_BREAK : 0);
    fill_marker(LEASE("%1", "%4", "lease", "30.5"), text);
    put_marker(scratch("lock"), text);
    for (int64_t timeout_ms = 0; timeout_ms <= PATIENCE_MS; timeout_ms += PATIENCE_MS) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms), -EINVAL);
        expect_sentence(lock, -EINVAL, "a lease of 30.500 s");
        expect_sentence(lock, -EINVAL, "one of 10.250 s");
    }
    expect_contents(scratch("lock"), text);
    ck_assert_int_eq(remove_file(scratch("lock")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* What an owner of another host has given up, and could not remove, is no lease of another duration. */
START_TEST(test_disowned)
{
    NEEDS_LEASE();
    struct filelock *lock = new_lease(LONG_MS, 0);
    put_marker(scratch("lock"), "filelock/2\npid=2147483647\nhost=another.host\nmode=lease\ntoken=0\nduration=2.0\n");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(lock);
}
END_TEST

/* An operator may break a lease, and its holder is told. */
START_TEST(test_broken)
{
    NEEDS_LEASE();
    struct filelock *lock = held_lease(SHORT_MS, 0), *operator= new_lease(SHORT_MS, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_break(operator), 0);
    expect_nothing_beside(scratch("lock"));
    expect_lost(lock, "the lease was lost");
    filelock_free(lock);
    filelock_free(operator);
}
END_TEST

/* ---- Fork ------------------------------------------------------------------------------------- */

START_TEST(test_fork)
{
    NEEDS_LEASE();
    NEEDS_FORK_BESIDE_THREADS();
    NEEDS_THREADS_IN_CHILDREN();
    struct peer *parent = peer_lease(LONG_MS);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    struct peer *child = peer_fork(parent, NULL);
    PEER_SAYS(child, "0", "held a");
    PEER_SAYS(child, "none", "lost a 0");
    PEER_SAYS(child, "-EPERM", "remaining a");
    PEER_SAYS(child, "-EPERM", "release a");
    PEER_SAYS(child, "0", "descriptors %s", scratch("lock"));
    PEER_SAYS(child, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(parent, "0", "check a");
    PEER_SAYS(parent, "not lost", "lost a 0");
    PEER_SAYS(parent, "0", "release a");
    PEER_SAYS(child, "0", "acquire a exclusive 0");
    PEER_SAYS(child, "not lost", "lost a 0");
    PEER_SAYS(parent, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(child, "0", "release a");
    peer_end(child);
}
END_TEST

/* The waitable belongs to the parent alone. */
START_TEST(test_fork_closes)
{
    NEEDS_LEASE();
    int status;
    struct filelock *lock = held_lease(LONG_MS, 0);
    int lost = filelock_lost(lock), fd = filelock_fd(lock);
    pid_t child = fork();
    if (child == 0)
        _exit(fd_is_open(lost) || fd_is_open(fd));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "the child has a descriptor of the lease");
    EXPECT(filelock_check(lock), 0);
    ck_assert_int_eq(is_lost(lock), 0);
    filelock_free(lock);
}
END_TEST

/* A child has no thread that renews.  Its first lease starts another. */
START_TEST(test_child_renews)
{
    NEEDS_LEASE();
    NEEDS_FORK_BESIDE_THREADS();
    NEEDS_THREADS_IN_CHILDREN();
    struct peer *parent = peer_lease(1500);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    struct peer *child = peer_fork(parent, NULL);
    peer_ask(parent, "release a");
    PEER_SAYS(child, "0", "acquire a exclusive %d", PATIENCE_MS);
    int64_t first = written(scratch("lock"));
    EVENTUALLY(written(scratch("lock")) > first);
    peer_end(child);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = add_case(suite, "held");
    tcase_add_test(tcase, test_record);
    tcase_add_test(tcase, test_options);
    tcase_add_test(tcase, test_held);
    tcase_add_test(tcase, test_no_descriptors);
    tcase_add_test(tcase, test_no_thread);
    tcase = add_case(suite, "renewed");
    tcase_add_test(tcase, test_renewed);
#ifdef __linux__
    tcase_add_test(tcase, test_thread);
#endif
    tcase = add_case(suite, "lost");
    tcase_add_test(tcase, test_removed);
    tcase_add_test(tcase, test_taken_over);
    tcase_add_test(tcase, test_release_finds_loss);
    tcase_add_test(tcase, test_closed);
    tcase_add_test(tcase, test_freed_after_loss);
    tcase_add_test(tcase, test_stopped);
#ifdef __linux__
    tcase = add_case(suite, "hang");
    tcase_add_test(tcase, test_told_beside_hang);
    tcase_add_test(tcase, test_asked_by_cancelled);
    tcase_add_test(tcase, test_times_refused);
    tcase_add_test(tcase, test_renewed_beside_hang);
#endif
    tcase = add_case(suite, "contending");
    tcase_add_test(tcase, test_killed);
    tcase_add_test(tcase, test_handed_over);
    tcase_add_loop_test(tcase, test_ends, 0, (int) (sizeof ending / sizeof *ending));
    tcase_add_loop_test(tcase, test_ends_for_soft, 0, (int) (sizeof short_leases / sizeof *short_leases));
    tcase_add_loop_test(tcase, test_lasts, 0, 2);
    tcase_add_loop_test(tcase, test_held_for_ever, 0, (int) (sizeof held_for_ever / sizeof *held_for_ever));
    tcase_add_loop_test(tcase, test_dead, 0, (int) (sizeof dead / sizeof *dead));
    tcase_add_test(tcase, test_never_broken);
    tcase_add_loop_test(tcase, test_other_duration, 0, 2);
    tcase_add_test(tcase, test_disowned);
    tcase_add_test(tcase, test_broken);
    tcase = add_case(suite, "fork");
    tcase_add_test(tcase, test_fork);
    tcase_add_test(tcase, test_fork_closes);
    tcase_add_test(tcase, test_child_renews);
    return suite;
}
