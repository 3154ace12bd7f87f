/* SPDX-License-Identifier: MIT
 *
 * test_kqueue.c - what macOS has: waits by kqueue(2), tokens and open files by libproc.  On Linux it is built with the
 * stand-in of tests/standin.
 */
#include "markers.h"
#include "posix.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libproc.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Waits ---------------------------------------------------------------------------------- */

static atomic_int polls;

/* Counts the polls of the library, which is linked statically: a waiter that naps polls again and again. */
int poll(struct pollfd *fds, nfds_t count, int ms)
{
    atomic_fetch_add(&polls, 1);
    return (int) syscall(SYS_poll, fds, count, ms);
}

/* A nap is 50 ms at most, so a waiter that naps polls 6 times at least in this time. */
#define WATCHED_MS 300
#define FEW 4

static const struct handover {
    enum filelock_kind kind;
    int killing;
} handovers[] = {
    { FILELOCK_KIND_SOFT, 0 },
    { FILELOCK_KIND_SOFT, 1 },
    { FILELOCK_KIND_FLOCK, 0 },
    { FILELOCK_KIND_FLOCK, 1 },
};

static const struct kind *the_kind(enum filelock_kind wanted)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == (int) wanted)
            return kind_at(i);
    ck_abort_msg("this build lacks the kind");
    return NULL;
}

/* The holder releases or is killed.  The waiter sleeps until it is told, and then has the lock. */
START_TEST(test_handover)
{
    const struct kind *kind = the_kind(handovers[_i].kind);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
    struct caller caller;
    caller_start(&caller);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 3600000);
    wait_for_sleep(&caller);
    nap_ms(20);
    int before = atomic_load(&polls);
    nap_ms(WATCHED_MS);
    ck_assert_int_le(atomic_load(&polls) - before, FEW);
    if (handovers[_i].killing)
        process_kill(&(struct process) { peer_pid(peer), -1, -1 });
    else
        peer_send(peer, "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(filelock_release(lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* Changes of other names in the directory do not end a wait, and do not keep the waiter from its own event. */
START_TEST(test_busy_directory)
{
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_ANY_THREAD);
    struct caller caller;
    caller_start(&caller);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, 3600000);
    wait_for_sleep(&caller);
    for (int i = 0; i < 1000; i++) {
        put_marker(scratch("other"), "");
        ck_assert_int_eq(unlink(scratch("other")), 0);
    }
    ck_assert_int_eq(still_calling(&caller), 1);
    peer_send(peer, "release a");
    EXPECT(end_call(&caller), 0);
    EXPECT(filelock_release(lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

START_TEST(test_timeout)
{
    const struct kind *kind = the_kind(_i ? FILELOCK_KIND_SOFT : FILELOCK_KIND_FLOCK);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0), *waiter = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 60), -ETIMEDOUT);
    EXPECT_TOOK(start, 60);
    filelock_free(lock);
    EXPECT(filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 60), 0);
    filelock_free(waiter);
}
END_TEST

/* ---- Owners --------------------------------------------------------------------------------- */

static uint64_t start_of(int64_t pid)
{
    struct proc_bsdinfo info;
    ck_assert_int_eq(proc_pidinfo((int) pid, PROC_PIDTBSDINFO, 0, &info, (int) sizeof info), (int) sizeof info);
    return info.pbi_start_tvsec * 1000000 + info.pbi_start_tvusec;
}

/* Returns the record of this process, with a start that is wrong by some microseconds. */
static const char *record_with(uint64_t wrong)
{
    static char text[1024];
    char name[256] = "", host[MARKER_SIZE];
    gethostname(name, sizeof name - 1);
    marker_escape(name, host);
    snprintf(text, sizeof text, "%lld\n%.300s\n%" PRIu64 "\n", (long long) own_pid(), host,
             start_of(own_pid()) + wrong);
    return text;
}

/* The token in a marker is the start in microseconds, as Python's filelock writes it. */
START_TEST(test_token)
{
    struct filelock *lock = new_soft(scratch("lock"), 0);
    char text[512];
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    long size = read_file(scratch("lock"), text, sizeof text);
    ck_assert_int_gt(size, 0);
    char expected[64];
    snprintf(expected, sizeof expected, "\n%" PRIu64 "\n", start_of(own_pid()));
    ck_assert_ptr_nonnull(strstr(text, expected));
    filelock_free(lock);
}
END_TEST

/* A marker is that of a living process only if pid and start are. */
START_TEST(test_reused_pid)
{
    put_marker(scratch("lock"), record_with(0));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    put_marker(scratch("lock"), record_with(1));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
}
END_TEST

/* A holder that has ended is dead even while its parent has not waited for it. */
START_TEST(test_zombie)
{
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    struct filelock_owner owner = { .size = sizeof owner };
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.alive, 1);
    ck_assert_int_eq(owner.pid, peer_pid(peer));
    ck_assert_str_ne(owner.command, "");
    ck_assert_int_eq(kill((pid_t) peer_pid(peer), SIGKILL), 0);
    EVENTUALLY(filelock_owner(lock, &owner) == 0 && owner.alive == 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* An empty marker is held while a process has it open for writing, and is broken once none has. */
START_TEST(test_writer)
{
    int fd = open(scratch("lock"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    close(fd);
    EXPECT(try_soft(scratch("lock"), 10000), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("kqueue");
    TCase *waits = add_case(suite, "waits"), *owners = add_case(suite, "owners");
    tcase_add_loop_test(waits, test_handover, 0, (int) (sizeof handovers / sizeof *handovers));
    tcase_add_test(waits, test_busy_directory);
    tcase_add_loop_test(waits, test_timeout, 0, 2);
    tcase_add_test(owners, test_token);
    tcase_add_test(owners, test_reused_pid);
    tcase_add_test(owners, test_zombie);
    tcase_add_test(owners, test_writer);
    return suite;
}
