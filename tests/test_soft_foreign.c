/* SPDX-License-Identifier: MIT
 *
 * test_soft_foreign.c - Python's SoftFileLock and the library exclude each other, and each takes over from the other's
 * dead.
 */
#include "markers.h"
#include "posix.h"
#include "storm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Finds the first Python that can import this module.  A Python that was installed beside the system's may lack it. */
static int find_python(const char *module, char *path, size_t size)
{
    static const char *const names[] = { "/usr/bin/python3", "/usr/local/bin/python3", "python3" };
    char script[128];
    snprintf(script, sizeof script, "import %s", module);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *probe[] = { path, "-c", script, NULL };
        snprintf(path, size, "%s", names[i]);
        if (*path != '/' && !find_program(names[i], path, size))
            continue;
        if (access(path, X_OK) == 0 && peer_end(peer_start_program(probe)) == 0)
            return 1;
    }
    return 0;
}

static struct peer *start_python(const char *module, const char *what, const char *first, const char *second,
                                 const char *third)
{
    const char *source = getenv("srcdir");
    char path[1024], script[2048];
    const char *argv[] = { path, script, what, scratch("lock"), first, second, third, NULL };
    if (!soft_kind() || !find_python(module, path, sizeof path))
        return NULL;
    snprintf(script, sizeof script, "%s/tests/foreign_%s.py", source ? source : ".",
             strcmp(what, "lease") ? "softfilelock" : "softfilelease");
    struct peer *peer = peer_start_program(argv);
    PEER_ANSWERS(peer, "ready");
    return peer;
}

static struct peer *start_filelock(void)
{
    return start_python("filelock", "filelock", NULL, NULL, NULL);
}

/* ---- SoftFileLock --------------------------------------------------------------------------------- */

START_TEST(test_each_waits)
{
    struct peer *python = start_filelock();
    if (!python)
        SKIP("wants kind soft and a python3 that has filelock");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    PEER_SAYS(python, "0", "acquire 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    peer_send(python, "release");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), 0);
    PEER_ANSWERS(python, "0");
    PEER_SAYS(python, "timeout", "acquire 0");
    PEER_SAYS(python, "timeout", "acquire 0.1");
    peer_send(python, "acquire 60");
    EXPECT(filelock_check(lock), 0);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    EXPECT(filelock_release(lock), 0);
    PEER_ANSWERS(python, "0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(python, "0", "release");
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* The marker of a live process stays for longer than the grace, whether there is a record in it or not. */
START_TEST(test_live_and_killed)
{
    struct peer *python = start_filelock();
    if (!python)
        SKIP("wants kind soft and a python3 that has filelock");
    PEER_SAYS(python, "0", "acquire 0");
    EXPECT(try_soft(scratch("lock"), 2500), -ETIMEDOUT);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    peer_kill(python);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    ck_assert_int_lt((now_ns() - start) / 1000000, 4000 + LATENESS_MS);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Protocol 1 ------------------------------------------------------------------------------------ */

enum { OURS = 3, THEIRS = 3 };

struct witness_of_storm {
    int64_t holder, overlaps, takeovers, mistakes[THEIRS];
};

static volatile struct witness_of_storm *witness;

static void open_witness(void)
{
    static const struct witness_of_storm nothing;
    put_marker_bytes(scratch("witness"), &nothing, sizeof nothing);
    int fd = open(scratch("witness"), O_RDWR | O_CLOEXEC);
    witness = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    ck_assert(witness != MAP_FAILED);
}

/* Calls nothing of Check. */
static void fight(struct filelock *lock, const char *stop)
{
    while (!path_exists(stop)) {
        if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100) != 0)
            continue;
        int64_t before = witness->holder, self = own_pid();
        if (before && process_runs(before))
            witness->overlaps++;
        else if (before)
            witness->takeovers++;
        witness->holder = self;
        nap_ms((int) (now_ns() / 1000 % 2));
        if (witness->holder != self)
            witness->overlaps++;
        witness->holder = 0;
        filelock_release(lock);
        nap_ms(1 + (int) (now_ns() / 1000 % 4));
    }
    filelock_free(lock);
    _exit(0);
}

static pid_t start_fighter(void)
{
    const char *stop = scratch("stop");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    pid_t pid = fork();
    if (pid == 0)
        fight(lock, stop);
    filelock_free(lock);
    return pid;
}

static void kill_holder(pid_t *ours, struct peer **theirs)
{
    int64_t holder = 0;
    EVENTUALLY((holder = witness->holder) != 0);
    for (int i = 0; i < OURS; i++)
        if (ours[i] == holder) {
            kill(ours[i], SIGKILL);
            waitpid(ours[i], NULL, 0);
            ours[i] = start_fighter();
        }
    for (int i = 0; i < THEIRS; i++)
        if (theirs[i] && peer_pid(theirs[i]) == holder) {
            peer_kill(theirs[i]);
            theirs[i] = NULL; /* starting another takes long */
        }
}

/*
 * A Python program that moves the marker of a live process aside, and back, leaves the path free for a moment.  Then
 * two processes may hold the lock, which is seen up to three times.  The program counts that mistake, and nothing else
 * may be the cause.
 */
START_TEST(test_storm)
{
    struct peer *theirs[THEIRS];
    pid_t ours[OURS];
    NEEDS_SOFT();
    open_witness();
    for (int i = 0; i < THEIRS; i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", i);
        theirs[i] = start_python("mmap", "storm", scratch("witness"), scratch("stop"), number);
        if (!theirs[i])
            SKIP("wants a python3");
    }
    for (int i = 0; i < OURS; i++)
        ours[i] = start_fighter();
    int64_t start = now_ns(), end = start + (int64_t) scaled(1500, 300) * 1000000;
    while (now_ns() < end || (!witness->takeovers && now_ns() - start < (int64_t) PATIENCE_MS * 1000000)) {
        nap_ms(20);
        kill_holder(ours, theirs);
    }
    put_marker(scratch("stop"), "");
    for (int i = 0; i < OURS; i++)
        ck_assert_int_eq(process_wait(&(struct process) { ours[i], -1, -1 }, PATIENCE_MS), 0);
    for (int i = 0; i < THEIRS; i++)
        if (theirs[i])
            ck_assert_int_eq(peer_end(theirs[i]), 0);
    int overlaps = (int) witness->overlaps, mistakes = 0;
    for (int i = 0; i < THEIRS; i++)
        mistakes += (int) witness->mistakes[i];
    ck_assert_msg(overlaps <= 3 * mistakes, "two held it at once, %d times, for %d mistakes", overlaps, mistakes);
    ck_assert_int_gt(witness->takeovers, 0);
    ck_assert_int_eq(munmap((void *) (uintptr_t) witness, sizeof *witness), 0);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
}
END_TEST

/* ---- Protocol 2 ------------------------------------------------------------------------------------ */

#define LEASE_MS 2000

static struct filelock *new_lease(void)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    options.kind = FILELOCK_KIND_LEASE;
    options.lease_ms = LEASE_MS;
    return new_lock_with(&options, scratch("lock"));
}

static struct peer *start_lease(void)
{
    return filelock_supported(FILELOCK_KIND_LEASE) ? start_python("threading", "lease", "2.0", NULL, NULL) : NULL;
}

static void stop_process(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
}

#define NEEDS_PYTHON_LEASE(python)                  \
    do {                                            \
        if (!(python))                              \
            SKIP("wants kind lease and a python3"); \
        NEEDS_THREADS_IN_CHILDREN();                \
    } while (0)

/* Each waits for a lease of the other's that is renewed, for longer than it lasts, and gets it after the release. */
START_TEST(test_lease_each_waits)
{
    struct peer *python = start_lease();
    NEEDS_PYTHON_LEASE(python);
    struct filelock *lock = new_lease();
    PEER_SAYS(python, "0", "acquire 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, LEASE_MS * 3 / 2), -ETIMEDOUT);
    PEER_SAYS(python, "0", "check");
    PEER_SAYS(python, "0", "release");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    PEER_SAYS(python, "timeout", "acquire 3");
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    PEER_SAYS(python, "0", "acquire 0");
    PEER_SAYS(python, "0", "release");
    expect_nothing_beside(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* A holder that is stopped for longer than its lease lasts loses it to the other.  It is told, and touches nothing. */
START_TEST(test_lease_stopped)
{
    struct peer *python = start_lease(), *ours = peer_start();
    NEEDS_PYTHON_LEASE(python);
    struct filelock *lock = new_lease();
    PEER_SAYS(python, "0", "acquire 0");
    stop_process((pid_t) peer_pid(python));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    kill((pid_t) peer_pid(python), SIGCONT);
    PEER_SAYS(python, "lost", "check");
    PEER_SAYS(python, "0", "release");
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);

    PEER_SAYS(ours, "0", "new a kind=%d lease=%d path=%s", FILELOCK_KIND_LEASE, LEASE_MS, scratch("lock"));
    PEER_SAYS(ours, "0", "acquire a exclusive 0");
    stop_process((pid_t) peer_pid(ours));
    PEER_SAYS(python, "0", "acquire 60");
    uint64_t identity = file_identity(scratch("lock"));
    kill((pid_t) peer_pid(ours), SIGCONT);
    PEER_SAYS(ours, "lost", "lost a %d", PATIENCE_MS);
    PEER_SAYS(ours, "-ESTALE", "release a");
    ck_assert_uint_eq(file_identity(scratch("lock")), identity);
    PEER_SAYS(python, "0", "check");
    PEER_SAYS(python, "0", "release");
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* Each takes over from a dead holder before its lease has ended. */
START_TEST(test_lease_killed)
{
    struct peer *python = start_lease(), *ours = peer_start();
    NEEDS_PYTHON_LEASE(python);
    PEER_SAYS(ours, "0", "new a kind=%d lease=%d path=%s", FILELOCK_KIND_LEASE, LEASE_MS, scratch("lock"));
    PEER_SAYS(ours, "0", "acquire a exclusive 0");
    peer_kill(ours);
    PEER_SAYS(python, "0", "acquire 1");
    peer_kill(python);
    struct filelock *lock = new_lease();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, LEASE_MS / 2), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, foreign");
    TCase *tcase = add_case(suite, "python");
    tcase_add_test(tcase, test_each_waits);
    tcase_add_test(tcase, test_live_and_killed);
    tcase_add_test(tcase, test_storm);
    TCase *leases = add_case(suite, "leases");
    tcase_add_test(leases, test_lease_each_waits);
    tcase_add_test(leases, test_lease_stopped);
    tcase_add_test(leases, test_lease_killed);
    return suite;
}
