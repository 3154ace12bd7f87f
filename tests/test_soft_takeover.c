/* SPDX-License-Identifier: MIT
 *
 * test_soft_takeover.c - soft locks: what other users and other breakers do while a marker is made or taken over.  Also
 * steps that are refused, and markers that cannot be removed.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "storm.h"
#include "syscalls_linux.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_newfstatat
#define SYS_newfstatat SYS_fstatat64
#endif

#define COUNT(array) ((int) (sizeof(array) / sizeof *(array)))
#define PLANTER 1001

/* ---- A process that is stopped at a system call ---------------------------------------------------- */

static struct stopped {
    int64_t timeout_ms;
    uid_t user;
    int result, check;
    pid_t pid;
    int number;      /* of the system call */
    int opens;       /* the call opens a file for writing alone */
    char name[1024]; /* the name that the call makes, or looks at */
    int several;     /* the process acquires scratch("other") too */
    int hits;
    int cancel[2]; /* a pipe; 0: none */
} * stopped;

static int acquire_all(struct filelock *lock)
{
    if (!stopped->several)
        return filelock_acquire(lock, FILELOCK_EXCLUSIVE, stopped->timeout_ms);
    struct filelock *locks[] = { lock, new_soft(scratch("other"), 0) };
    int result = filelock_acquire_several(locks, 2, FILELOCK_EXCLUSIVE, stopped->timeout_ms);
    filelock_free(locks[1]);
    return result;
}

static void be_stopped(int to)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    options.kind = FILELOCK_KIND_SOFT;
    if (stopped->cancel[1])
        options.cancel = stopped->cancel[0];
    if ((stopped->user && setuid(stopped->user) != 0) || filelock_new(&lock, scratch("lock"), &options) != 0)
        _exit(2);
    if (trace_me(to) != 0)
        _exit(3);
    stopped->result = acquire_all(lock);
    stopped->check = filelock_check(lock);
    filelock_free(lock);
    _exit(0);
}

/* Reads the string that an argument points to, in the stopped process. */
static void read_name(uint64_t address)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int) stopped->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    stopped->name[0] = '\0';
    if (fd >= 0 && pread(fd, stopped->name, sizeof stopped->name - 1, (off_t) address) < 0)
        stopped->name[0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* True if the call opens a file for writing alone, by either number. */
static int opens_for_writing(const struct trace_call *call)
{
    uint64_t flags = call->number == SYS_openat ? call->arguments[2] : 0;
#ifdef SYS_open
    if (call->number == SYS_open)
        flags = call->arguments[1];
#endif
    return (flags & O_ACCMODE) == O_WRONLY;
}

#define ANY_CALL -1

static int is_look(int number)
{
#ifdef SYS_lstat
    if (number == SYS_lstat)
        return 1;
#endif
    return number == SYS_statx || number == SYS_newfstatat;
}

/*
 * Notes the call, and the name that it makes if it is a link(2), or looks at if it is a stat(2), by whatever number.  True if it is the call to stop
 * at.
 */
static int matches(const struct trace_call *call, int number)
{
    stopped->number = call->number;
    stopped->opens = opens_for_writing(call);
    if (call->number == SYS_linkat)
        read_name(call->arguments[3]);
    else if (is_look(call->number))
        read_name(call->arguments[call->number == SYS_statx || call->number == SYS_newfstatat]);
    else
        stopped->name[0] = '\0';
    return number == ANY_CALL || call->number == number;
}

/*
 * Starts a process that acquires scratch("lock"), and calls act() when it is about to do this system call.  Returns the
 * result of the acquire; 77 where calls cannot be traced.
 */
static int acquire_stopped(int number, int (*act)(void))
{
    struct trace_call call;
    enum trace trace;
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    stopped->result = 77;
    stopped->hits = 0;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        be_stopped(ends[1]);
    stopped->pid = pid;
    close(ends[1]);
    int tracer = tracer_open(ends[0]);
    while (tracer >= 0 && (trace = trace_next(tracer, &call)) != TRACE_END) {
        if (trace != TRACE_CALL)
            continue;
        if (matches(&call, number))
            stopped->hits += act();
        trace_answer(tracer, &call, 0);
    }
    if (tracer >= 0)
        close(tracer);
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    return stopped->result;
}

static void prepare(void)
{
    stopped = shared_memory(sizeof *stopped);
    stopped->timeout_ms = FILELOCK_TRY;
    open_scratch();
}

/* Acquires as acquire_stopped() does.  Returns 0 where system calls cannot be traced. */
static int stops(int number, int (*act)(void))
{
    return !UNDER_TSAN && !under_valgrind() && acquire_stopped(number, act) != 77;
}

#define STOPPED(number, act)                            \
    do {                                                \
        if (!stops(number, act))                        \
            SKIP("system calls cannot be traced here"); \
        ck_assert_int_gt(stopped->hits, 0);             \
    } while (0)

/* ---- Making ---------------------------------------------------------------------------------------- */

/* Another user links the file that is about to be linked to the path.  At the path there is a marker already. */
static int link_elsewhere(void)
{
    const char *beside = file_beside(scratch("lock"));
    char own[2048];
    if (!beside || path_exists(scratch("theirs")))
        return 0;
    snprintf(own, sizeof own, "%s", scratch(beside));
    put_marker(scratch("lock"), marker_record(own_pid()));
    return linkat(AT_FDCWD, own, AT_FDCWD, scratch("theirs"), 0) == 0;
}

/* The count of links does not tell whether the path is among them. */
START_TEST(test_linked_by_another)
{
    ON_SYSTEM(NO_UNNAMED);
    prepare();
    STOPPED(SYS_linkat, link_elsewhere);
    EXPECT(stopped->result, -ETIMEDOUT);
    expect_contents(scratch("lock"), marker_record(own_pid()));
}
END_TEST

static int take_torn(void)
{
    if (stopped->hits > 0 || !path_exists(scratch("lock")))
        return 0;
    ck_assert_int_eq(remove_file(scratch("lock")), 0);
    put_marker(scratch("lock"), marker_record(own_pid()));
    return 1;
}

/* On a system that has no links either, a maker that was taken for dead before it wrote does not hold the lock. */
START_TEST(test_taken_before_written)
{
    ON_SYSTEM(NO_UNNAMED | NO_LINKS | (_i ? NO_LOCKS : 0));
    prepare();
    STOPPED(SYS_pwrite64, take_torn);
    EXPECT(stopped->result, -ETIMEDOUT);
    expect_contents(scratch("lock"), marker_record(own_pid()));
}
END_TEST

static int see_locked(void)
{
    int fd = open(scratch("lock"), O_RDONLY | O_CLOEXEC);
    int locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    return locked;
}

/* No process takes such a maker for dead, because it has the marker locked before it writes. */
START_TEST(test_locked_before_written)
{
    ON_SYSTEM(NO_UNNAMED | NO_LINKS);
    prepare();
    STOPPED(SYS_pwrite64, see_locked);
    EXPECT(stopped->result, 0);
}
END_TEST

/* ---- Steps that are refused ------------------------------------------------------------------------- */

static const struct {
    long number;
    unsigned argument;
    uint32_t bits;
    int error;
    unsigned lacks;
} refused[] = {
    { SYS_linkat, 0, 0, EACCES, 0 },
    { SYS_linkat, 0, 0, ENOENT, 0 },
    { SYS_linkat, 0, 0, EACCES, NO_UNNAMED },
    { SYS_linkat, 0, 0, ENOTTY, NO_UNNAMED },
    { SYS_openat, 2, (uint32_t) (O_TMPFILE & ~O_DIRECTORY), EACCES, 0 },
    { SYS_openat, 2, (uint32_t) (O_TMPFILE & ~O_DIRECTORY), ENOENT, 0 },
    { SYS_renameat2, 0, 0, EPERM, 0 },
    { SYS_renameat2, 0, 0, EACCES, 0 },
    { SYS_renameat2, 0, 0, ENOENT, 0 },
    { SYS_renameat2, 0, 0, EIO, NO_LOCKS },
    { SYS_inotify_init1, 0, 0, EPERM, 0 },
    { SYS_inotify_add_watch, 0, 0, ENOENT, 0 },
    { SYS_pidfd_open, 0, 0, EPERM, 0 },
    { SYS_eventfd2, 0, 0, EPERM, 0 },
};

/* Whatever the error is, there is another way. */
START_TEST(test_refused_step)
{
    ON_SYSTEM(refused[_i].lacks);
    if (deny(refused[_i].number, refused[_i].argument, refused[_i].bits, refused[_i].error) != 0)
        SKIP("system calls cannot be denied here");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    for (int stale = 0; stale < 2; stale++) {
        if (stale)
            put_marker(scratch("lock"), marker_record(dead_pid()));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        expect_nothing_beside(scratch("lock"));
        EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
}
END_TEST

/* ---- Writes that are refused ------------------------------------------------------------------------ */

static int pending(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && sigismember(&set, SIGXFSZ);
}

/* Called in a child.  Returns what to exit with. */
static int acquire_without_room(const struct kind *kind, int blocked)
{
    struct filelock_options options = options_of(kind);
    struct rlimit none = { 0, 0 };
    struct filelock *lock;
    sigset_t set;
    options.flags = FILELOCK_RECORD_OWNER;
    if (!(kind->can & CAN_KEEP_FILE))
        options.flags = 0;
    signal(SIGXFSZ, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    if (blocked)
        sigprocmask(SIG_BLOCK, &set, NULL);
    if (blocked > 1)
        raise(SIGXFSZ);
    if (filelock_new(&lock, scratch("lock"), &options) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0)
        return 2;
    keep_reachable(lock);
    int want = kind->can & CAN_KEEP_FILE ? 0 : -EFBIG;
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != want)
        return 3;
    if (filelock_held(lock) != (want == 0) || (want == 0 && filelock_check(lock) != 0))
        return 4;
    if (pending() != (blocked > 1))
        return 5;
    return want == 0 && filelock_release(lock) != 0 ? 6 : 0;
}

/* A limit on the size of files neither kills the process, nor costs it a lock that needs no file contents. */
START_TEST(test_no_room_for_record)
{
    const struct kind *kind = kind_at(_i);
    for (int blocked = 0; blocked < 3; blocked++) {
        int status;
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            _exit(acquire_without_room(kind, blocked));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s, blocked %d: status %#x", kind->name, blocked,
                      (unsigned) status);
    }
}
END_TEST

/* ---- Markers that cannot be removed ----------------------------------------------------------------- */

enum { EXITS, FREES, LEAVES_ROOT, RELEASES_ELSEWHERE, WAYS };

/* A daemon that no longer has any rights in the directory, and ends. */
static int be_daemon(int way, unsigned flags)
{
    struct filelock *lock = new_soft(scratch("folder/lock"), flags);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0)
        return 1;
    if (flags & FILELOCK_FORK_SHARE) {
        pid_t child = fork();
        if (child != 0)
            return child < 0; /* as parents of daemons do, without exit handlers */
    }
    if (way >= LEAVES_ROOT && (chroot(scratch("empty")) != 0 || chdir("/") != 0))
        return 2;
    if (way < LEAVES_ROOT && setuid(NOBODY) != 0)
        return 3;
    if (way == FREES)
        filelock_free(lock);
    if (way == RELEASES_ELSEWHERE && filelock_release(lock) != 0)
        return 4;
    if (way == FREES || way == RELEASES_ELSEWHERE)
        return 0;
    exit(0);
}

/* The daemon's marker goes at the first look, as after kill -9. */
START_TEST(test_daemon_ends)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    if (UNDER_ASAN && _i % WAYS >= LEAVES_ROOT)
        SKIP("LeakSanitizer wants to see /proc when a process exits");
    unsigned flags = _i >= WAYS ? FILELOCK_FORK_SHARE : 0;
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    ck_assert_int_eq(make_directory(scratch("empty")), 0);
    open_scratch();
    int ends[2];
    char none;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[0]);
        _exit(be_daemon(_i % WAYS, flags));
    }
    close(ends[1]);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "status %#x", (unsigned) status);
    ck_assert_int_eq(read(ends[0], &none, 1), 0); /* all processes have ended */
    close(ends[0]);
    ck_assert(path_exists(scratch("folder/lock")));
    if (flags == 0)
        EXPECT(try_soft(scratch("folder/lock"), FILELOCK_TRY), 0);
    else
        EVENTUALLY(try_soft(scratch("folder/lock"), FILELOCK_TRY) == 0); /* a daemon's end takes a moment */
    expect_nothing_at(scratch("folder/lock"));
}
END_TEST

/* A process that lives on does not keep a marker that it could not remove. */
START_TEST(test_freed_by_the_living)
{
    NEEDS_SOFT();
    AS_ORDINARY_USER();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct filelock *lock = new_soft(scratch("folder/lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(chmod(scratch("folder"), 0555), 0);
    filelock_free(lock);
    ck_assert_int_eq(chmod(scratch("folder"), 0755), 0);
    ck_assert(path_exists(scratch("folder/lock")));
    EXPECT(try_soft(scratch("folder/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("folder/lock"));
}
END_TEST

/* ---- What another user plants ----------------------------------------------------------------------- */

enum { DIRECTORY, FIFO, LINK, SOCKET, LOCKED, LIVING, MARKER, PLANTS };

static int planting, planted[2]; /* descriptors, or 0 */

static int make_plant(const char *path)
{
    switch (planting) {
    case DIRECTORY:
        return mkdir(path, 0755);
    case FIFO:
        return mkfifo(path, 0666);
    case LINK:
        return symlink("nothing", path);
    case SOCKET:
        return mknod(path, S_IFSOCK | 0666, 0);
    case MARKER:
        return linkat(AT_FDCWD, scratch("lock"), AT_FDCWD, path, 0);
    default:
        planted[stopped->hits] = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (planting == LIVING && write_file(path, marker_record(own_pid()), strlen(marker_record(own_pid()))) != 0)
            return -1;
        return planting == LOCKED ? flock(planted[stopped->hits], LOCK_EX) : 0;
    }
}

/* Plants a file at the name that the draft is about to get, and at the next name too. */
static int plant(void)
{
    struct stat there;
    if (!strstr(stopped->name, ".break.") || stopped->hits >= 2 || lstat(stopped->name, &there) == 0)
        return 0;
    if (make_plant(stopped->name) != 0)
        return 0;
    if (planting != MARKER)
        ck_assert_int_eq(lchown(stopped->name, PLANTER, PLANTER), 0);
    return 1;
}

/* In a sticky directory another user's files cannot be removed, but are not in the way. */
START_TEST(test_planted)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    char folder[2048];
    prepare();
    snprintf(folder, sizeof folder, "%s", scratch("lock"));
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chmod(folder, 01777), 0);
    put_marker(scratch("lock"), marker_record(dead_pid()));
    ck_assert_int_eq(chown(scratch("lock"), NOBODY, NOBODY), 0);
    stopped->user = NOBODY;
    planting = _i;
    STOPPED(SYS_linkat, plant);
    ck_assert_int_eq(stopped->hits, 2);
    for (int i = 0; i < 2; i++)
        if (planted[i] > 0)
            close(planted[i]);
    EXPECT(stopped->result, 0);
    EXPECT(stopped->check, 0);
    ck_assert(!path_exists(scratch("lock")));
}
END_TEST

/* ---- Late breakers ----------------------------------------------------------------------------------- */

#define TOKEN "0123456789abcdef0123456789abcdef"

/* True if the call is a nap: the system's C library may use any of these numbers for it. */
static int is_nap(int number)
{
#ifdef SYS_ppoll_time64
    if (number == SYS_ppoll_time64)
        return 1;
#endif
#ifdef SYS_poll
    if (number == SYS_poll)
        return 1;
#endif
    return number == SYS_ppoll;
}

/* Returns the path to which a breaker in this process, which lives, moves what it finds. */
static const char *moved_to(void)
{
    static char name[128];
    snprintf(name, sizeof name, "lock.break.%lld." TOKEN, (long long) own_pid());
    return scratch(name);
}

static void rename_scratch(const char *from, const char *to)
{
    char path[2048];
    snprintf(path, sizeof path, "%s", scratch(from));
    ck_assert_int_eq(rename(path, to), 0);
}

enum { LEAVES, LEAVES_OFTEN, LEAVES_AT_ONCE, PUTS_BACK, PUTS_BACK_LATE, IS_FOLLOWED, DOES_NOTHING, BREAKERS };

static int breaking;

static void put_back(void)
{
    char from[2048];
    snprintf(from, sizeof from, "%s", moved_to());
    ck_assert_int_eq(linkat(AT_FDCWD, from, AT_FDCWD, scratch("lock"), 0), 0);
}

static int is_taken_over(void)
{
    char found[1024];
    return read_file(scratch("lock"), found, sizeof found) > 0 && strcmp(found, marker_record(stopped->pid)) == 0;
}

/*
 * A breaker that judged the dead owner's marker before it was taken over.  It moves away what is at the path when the
 * acquire naps; LEAVES_AT_ONCE: right after the step that takes over.  PUTS_BACK_LATE: it puts the file back when the
 * acquire has seen that it is gone, and lists the directory.
 */
static int break_late(void)
{
    if (breaking == PUTS_BACK_LATE && stopped->hits == 1 && stopped->number == SYS_getdents64) {
        put_back();
        return 1;
    }
    if (stopped->hits > (breaking == LEAVES_OFTEN ? 2 : 0))
        return 0;
    if (breaking == LEAVES_AT_ONCE ? !is_taken_over() : !is_nap(stopped->number))
        return 0;
    expect_contents(scratch("lock"), marker_record(stopped->pid));
    if (breaking == DOES_NOTHING)
        return 1;
    rename_scratch("lock", moved_to());
    if (breaking == PUTS_BACK) {
        put_back();
        ck_assert_int_eq(remove_file(moved_to()), 0);
    } else if (breaking == IS_FOLLOWED) {
        put_marker(scratch("lock"), marker_record(own_pid()));
    }
    return 1;
}

/* The lock does not count before such a breaker is done, and nothing that the breaker took is left. */
START_TEST(test_late_breaker)
{
    NEEDS_SOFT();
    breaking = _i % BREAKERS;
    prepare();
    if (_i >= BREAKERS)
        stopped->timeout_ms = breaking == IS_FOLLOWED ? 100 : PATIENCE_MS;
    put_marker(scratch("lock"), marker_record(dead_pid()));
    STOPPED(ANY_CALL, break_late);
    if (breaking == IS_FOLLOWED) {
        EXPECT(stopped->result, -ETIMEDOUT);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        expect_nothing_beside(scratch("lock"));
        return;
    }
    EXPECT(stopped->result, 0);
    EXPECT(stopped->check, 0);
    expect_nothing_at(scratch("lock"));
    ck_assert_int_eq(stopped->hits, breaking == LEAVES_OFTEN ? 3 : breaking == PUTS_BACK_LATE ? 2 : 1);
}
END_TEST

static int cancel(void)
{
    if (is_nap(stopped->number) && stopped->hits == 0)
        return write(stopped->cancel[1], "", 1) == 1;
    return 0;
}

/* A caller whose wait for such a breaker is cancelled has no lock. */
START_TEST(test_late_cancelled)
{
    NEEDS_SOFT();
    prepare();
    ck_assert_int_eq(pipe(stopped->cancel), 0);
    stopped->timeout_ms = PATIENCE_MS;
    put_marker(scratch("lock"), marker_record(dead_pid()));
    int traced = stops(ANY_CALL, cancel);
    close(stopped->cancel[0]);
    close(stopped->cancel[1]);
    if (!traced)
        SKIP("system calls cannot be traced here");
    ck_assert_int_gt(stopped->hits, 0);
    EXPECT(stopped->result, -ECANCELED);
    expect_nothing_at(scratch("lock"));
}
END_TEST

static int see_nap(void)
{
    ck_assert(!is_nap(stopped->number));
    return 1;
}

/* If there was no dead owner, there is no late breaker to wait for. */
START_TEST(test_no_late_breaker)
{
    NEEDS_SOFT();
    prepare();
    STOPPED(ANY_CALL, see_nap);
    EXPECT(stopped->result, 0);
}
END_TEST

static struct filelock *in_the_way;
static int replaced, calls_after;

/*
 * When the waiter has a place in the queue, another marker takes the place of the one where it queues.  When the waiter
 * is about to queue up there, that marker goes too.
 */
static int replace_then_remove(void)
{
    if (stopped->hits > 0)
        ck_assert_int_lt(++calls_after, 1000); /* or it looks for ever */
    if (!replaced && places_at(scratch("lock")) == 2) {
        EXPECT(filelock_release(in_the_way), 0);
        EXPECT(filelock_acquire(in_the_way, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        replaced = 1;
        return 0;
    }
    if (!replaced || stopped->hits > 0 || !stopped->opens)
        return 0;
    EXPECT(filelock_release(in_the_way), 0);
    return 1;
}

/* A waiter that leaves a free path to an earlier waiter, which is stopped, takes the lock after a while. */
START_TEST(test_left_to_stopped)
{
    NEEDS_QUEUE();
    prepare();
    in_the_way = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(in_the_way, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    struct peer *earlier = peer_with(soft_kind(), scratch("lock"), 0);
    peer_send(earlier, "acquire a exclusive %d", PATIENCE_MS);
    EVENTUALLY(places_at(scratch("lock")) == 1);
    kill((pid_t) peer_pid(earlier), SIGSTOP);
    stopped->timeout_ms = FILELOCK_FOREVER;
    int traced = stops(ANY_CALL, replace_then_remove);
    kill((pid_t) peer_pid(earlier), SIGCONT);
    filelock_free(in_the_way);
    PEER_ANSWERS(earlier, "0");
    if (!traced)
        SKIP("system calls cannot be traced here");
    ck_assert_int_gt(stopped->hits, 0);
    EXPECT(stopped->result, 0);
}
END_TEST

/* The file of the marker that was looked at first gets the path that is looked at next. */
static int pass_number_on(void)
{
    if (stopped->hits > 0 || strcmp(stopped->name, scratch("other")) != 0)
        return 0;
    ck_assert_int_eq(rename(scratch("lock"), scratch("other")), 0);
    return 1;
}

/* The number of one marker passes to the other between two looks.  They are two locks all the same. */
START_TEST(test_number_passes_on)
{
    NEEDS_SOFT();
    prepare();
    put_marker(scratch("lock"), marker_record(own_pid()));
    stopped->several = 1;
    STOPPED(ANY_CALL, pass_number_on);
    EXPECT(stopped->result, -ETIMEDOUT);
    expect_contents(scratch("other"), marker_record(own_pid()));
}
END_TEST

static const struct {
    const char *format; /* %1, %2: the own and a dead pid */
    int living;         /* the owner of what is there lives */
    int goes;
} moved[] = {
    { "lock.break.%2." TOKEN, 0, 1 }, { "lock.break.%2." TOKEN, 1, 0 },  { "lock.break.%1." TOKEN, 0, 0 },
    { "lock.break.0." TOKEN, 0, 0 },  { "lock.break.-%2." TOKEN, 0, 0 }, { "lock.break.%2." TOKEN "0", 0, 0 },
    { "lock.break.%2.0", 0, 0 },      { "lock.break.%2x" TOKEN, 0, 0 },  { "lock.break.9999999999%2." TOKEN, 0, 0 },
    { "lock.break.%2", 0, 0 },        { "lock2.break.%2." TOKEN, 0, 0 },
};

/*
 * A file that a killed breaker has moved away goes with the next take-over, if its owner is dead too.  No other file
 * goes.
 */
START_TEST(test_moved_swept)
{
    NEEDS_SOFT();
    char name[256];
    fill_marker(moved[_i].format, name);
    put_marker(scratch(name), marker_record(moved[_i].living ? own_pid() : dead_pid()));
    put_marker(scratch("lock"), marker_record(dead_pid()));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), 0);
    ck_assert_int_eq(!path_exists(scratch(name)), moved[_i].goes);
}
END_TEST

/*
 * The library cuts a name that is so long that no other names could be made of it.  Breakers of other rules do not cut
 * it.
 */
START_TEST(test_moved_long)
{
    NEEDS_SOFT();
    char lock[128], name[256];
    memset(lock, 'l', sizeof lock - 1);
    lock[sizeof lock - 1] = '\0';
    snprintf(name, sizeof name, "%s.break.%lld." TOKEN, lock, (long long) dead_pid());
    put_marker(scratch(name), marker_record(dead_pid()));
    put_marker(scratch(lock), marker_record(dead_pid()));
    EXPECT(try_soft(scratch(lock), FILELOCK_TRY), 0);
    ck_assert(!path_exists(scratch(name)));
}
END_TEST

/* ---- Suite ------------------------------------------------------------------------------------------ */

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, taking over");
    TCase *tcase = add_case(suite, "making");
    tcase_add_test(tcase, test_linked_by_another);
    tcase_add_loop_test(tcase, test_taken_before_written, 0, 2);
    tcase_add_test(tcase, test_locked_before_written);
    tcase = add_case(suite, "refused");
    tcase_add_loop_test(tcase, test_refused_step, 0, COUNT(refused));
    ADD_FOR_KINDS(tcase, test_no_room_for_record);
    tcase = add_case(suite, "unremovable");
    tcase_add_loop_test(tcase, test_daemon_ends, 0, WAYS + LEAVES_ROOT);
    tcase_add_test(tcase, test_freed_by_the_living);
    tcase = add_case(suite, "late");
    tcase_add_loop_test(tcase, test_late_breaker, 0, 2 * BREAKERS);
    tcase_add_test(tcase, test_late_cancelled);
    tcase_add_test(tcase, test_no_late_breaker);
    tcase_add_loop_test(tcase, test_moved_swept, 0, COUNT(moved));
    tcase_add_test(tcase, test_moved_long);
    tcase_add_test(add_case(suite, "queue"), test_left_to_stopped);
    tcase_add_test(add_case(suite, "several"), test_number_passes_on);
    tcase = add_case(suite, "planted");
    tcase_add_loop_test(tcase, test_planted, 0, PLANTS);
    return suite;
}
