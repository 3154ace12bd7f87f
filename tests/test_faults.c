/* SPDX-License-Identifier: MIT
 *
 * test_faults.c - each system call of each operation fails, and each allocation of memory.
 *
 * They fail one after the other, with each error that is possible.  Then either all of what was asked is done, or the
 * answer is an error that is documented for this.  The handle must go on working.  Nothing may be left: no descriptor,
 * thread, memory, lock or marker.  No other holder may lose its lock.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "memory.h"
#include "raw.h"
#include "storm.h"
#include "subject.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- What is done ------------------------------------------------------------------------------------ */

enum order {
    ORDER_NEW,
    ORDER_ACQUIRE,
    ORDER_BEGIN,   /* then the waitable is polled, and the attempt is finished */
    ORDER_ABORT,   /* an attempt that has been under way for timeout_ms */
    ORDER_SEVERAL, /* a second lock, and then the lock */
    ORDER_CONVERT,
    ORDER_RELEASE,
    ORDER_CHECK,
    ORDER_OWNER,
    ORDER_BREAK,
    ORDER_FREE
};

enum scene {
    NOTHING,         /* there is no lock file */
    LOCK_FILE,       /* there is one, not locked */
    HELD,            /* by the test, throughout */
    HELD_A_WHILE,    /* by the test, until the subject waits */
    HELD_CANCELED,   /* by the test, throughout; the wait is cancelled when it has begun */
    HELD_UNCANCELED, /* by the test, until the subject waits; the wait could be cancelled */
    OURS,            /* the subject holds the lock, before a conversion in the other mode */
    OURS_TOO,        /* the subject and the test share the lock */
    OURS_TOO_LATER,  /* so they do until the subject waits */
    STALE,           /* there is the marker of a dead process */
    LINK             /* there is a link to the lock file */
};

/* Beside the abilities of kinds. */
enum { WANTS_SOFT = 1 << 20, WANTS_FILE = 1 << 21 };

#define MINUTE 60000

#define ACQUIRE(mode, timeout_ms) ORDER_ACQUIRE, FILELOCK_##mode, timeout_ms
#define NO_ACQUIRE(order) ORDER_##order, FILELOCK_EXCLUSIVE, 0
#define EVERY_OPTION (FILELOCK_RECORD_OWNER | FILELOCK_KEEP_ON_EXEC | FILELOCK_UNLINK)

static const struct scenario {
    const char *name;
    unsigned wants; /* abilities of the kind */
    unsigned lacks; /* of the system */
    enum scene scene;
    unsigned flags;
    enum order order;
    enum filelock_mode mode;
    int64_t timeout_ms;
    int expected;
} scenarios[] = {
    { "new", 0, 0, NOTHING, 0, NO_ACQUIRE(NEW), 0 },
    { "first acquire", 0, 0, NOTHING, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "acquire", WANTS_FILE, 0, LOCK_FILE, 0, ACQUIRE(EXCLUSIVE, FILELOCK_FOREVER), 0 },
    { "acquire shared", CAN_SHARE, 0, LOCK_FILE, 0, ACQUIRE(SHARED, 0), 0 },
    { "acquire, every option", 0, 0, NOTHING, EVERY_OPTION | FILELOCK_MAKE_PARENTS, ACQUIRE(EXCLUSIVE, MINUTE), 0 },
    { "acquire by a link", 0, 0, LINK, FILELOCK_FOLLOW_SYMLINK, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "acquire in vain", 0, 0, HELD, 0, ACQUIRE(EXCLUSIVE, 0), -ETIMEDOUT },
    { "wait in vain", 0, 0, HELD, 0, ACQUIRE(EXCLUSIVE, 3), -ETIMEDOUT },
    { "wait in vain, shared", CAN_SHARE, 0, HELD, 0, ACQUIRE(SHARED, 3), -ETIMEDOUT },
    { "wait for ever", 0, 0, HELD_A_WHILE, 0, ACQUIRE(EXCLUSIVE, FILELOCK_FOREVER), 0 },
    { "wait a while", 0, 0, HELD_A_WHILE, 0, ACQUIRE(EXCLUSIVE, MINUTE), 0 },
    { "wait until cancelled", 0, 0, HELD_CANCELED, 0, ACQUIRE(EXCLUSIVE, FILELOCK_FOREVER), -ECANCELED },
    { "wait, never cancelled", 0, 0, HELD_UNCANCELED, 0, ACQUIRE(EXCLUSIVE, FILELOCK_FOREVER), 0 },
    { "wait, interruptible", 0, 0, HELD_A_WHILE, FILELOCK_INTERRUPTIBLE, ACQUIRE(EXCLUSIVE, MINUTE), 0 },
    { "begin, in vain", 0, 0, HELD, 0, ORDER_BEGIN, FILELOCK_EXCLUSIVE, 3, -ETIMEDOUT },
    { "begin, granted", 0, 0, HELD_A_WHILE, 0, ORDER_BEGIN, FILELOCK_EXCLUSIVE, MINUTE, 0 },
    { "begin, cancelled", 0, 0, HELD_CANCELED, 0, ORDER_BEGIN, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER, -ECANCELED },
    { "abort", 0, 0, HELD, 0, ORDER_ABORT, FILELOCK_EXCLUSIVE, 0, 0 },
    { "abort, later", 0, 0, HELD, 0, ORDER_ABORT, FILELOCK_EXCLUSIVE, 3, 0 },
    { "several, in vain", 0, 0, HELD, 0, ORDER_SEVERAL, FILELOCK_EXCLUSIVE, 3, -ETIMEDOUT },
    { "several, later", 0, 0, HELD_A_WHILE, 0, ORDER_SEVERAL, FILELOCK_EXCLUSIVE, MINUTE, 0 },
    { "convert down", CAN_SHARE, 0, OURS, FILELOCK_RECORD_OWNER, ORDER_CONVERT, FILELOCK_SHARED, 0, 0 },
    { "convert up", CAN_CONVERT_UP, 0, OURS, FILELOCK_RECORD_OWNER, ORDER_CONVERT, FILELOCK_EXCLUSIVE, 0, 0 },
    { "convert up, in vain", CAN_CONVERT_UP, 0, OURS_TOO, 0, ORDER_CONVERT, FILELOCK_EXCLUSIVE, 3, -ETIMEDOUT },
    { "convert up, later", CAN_CONVERT_UP, 0, OURS_TOO_LATER, 0, ORDER_CONVERT, FILELOCK_EXCLUSIVE, MINUTE, 0 },
    { "release", 0, 0, OURS, 0, NO_ACQUIRE(RELEASE), 0 },
    { "release, every option", 0, 0, OURS, EVERY_OPTION, NO_ACQUIRE(RELEASE), 0 },
    { "check", 0, 0, OURS, 0, NO_ACQUIRE(CHECK), 0 },
    { "release, record", 0, 0, OURS, FILELOCK_RECORD_OWNER, NO_ACQUIRE(RELEASE), 0 },
    { "owner", 0, 0, HELD, 0, NO_ACQUIRE(OWNER), 0 },
    { "owner, nobody", WANTS_FILE, 0, LOCK_FILE, 0, NO_ACQUIRE(OWNER), -ENOENT },
    { "owner by record", 0, 0, OURS, FILELOCK_RECORD_OWNER, NO_ACQUIRE(OWNER), 0 },
    { "free", 0, 0, OURS, 0, NO_ACQUIRE(FREE), 0 },
    { "break", WANTS_SOFT, 0, HELD, 0, NO_ACQUIRE(BREAK), 0 },
    { "break, stale", WANTS_SOFT, 0, STALE, 0, NO_ACQUIRE(BREAK), 0 },
    { "break, stale, no unnamed files", WANTS_SOFT, NO_UNNAMED, STALE, 0, NO_ACQUIRE(BREAK), 0 },
    { "break, stale, no swapping", WANTS_SOFT, NO_SWAP, STALE, 0, NO_ACQUIRE(BREAK), 0 },
    { "break, stale, no locks", WANTS_SOFT, NO_LOCKS, STALE, 0, NO_ACQUIRE(BREAK), 0 },
    { "take over", WANTS_SOFT, 0, STALE, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "first acquire, no unnamed files", WANTS_SOFT, NO_UNNAMED, NOTHING, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "first acquire, no links", WANTS_SOFT, NO_UNNAMED | NO_LINKS, NOTHING, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "take over, no unnamed files", WANTS_SOFT, NO_UNNAMED, STALE, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "take over, no swapping", WANTS_SOFT, NO_SWAP, STALE, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
    { "take over, no locks", WANTS_SOFT, NO_LOCKS, STALE, 0, ACQUIRE(EXCLUSIVE, 0), 0 },
};

#define SCENARIOS ((int) (sizeof scenarios / sizeof *scenarios))

/* ---- The subject ------------------------------------------------------------------------------------- */

/* Shared with the subject. */
static struct orders {
    enum order order;
    enum filelock_mode mode;
    int64_t timeout_ms;
    struct filelock_options options;
    char path[2048], second[2048]; /* "": there is no second lock */
    long refuse;                   /* the number of the allocation that is refused */
    int result, held, held_second;
    int64_t took_ns;
    struct filelock_owner owner;
    long allocations, blocks;
} * orders;

static int is_subject;

/*
 * Linux closes the descriptor even if close(2) fails.  So another call, of a negative descriptor, tells whether it is
 * to fail.
 */
int close(int fd)
{
    int failed = is_subject && syscall(SYS_close, -1) != 0 && errno != EBADF, error = errno;
    int result = (int) syscall(SYS_close, fd);
    if (failed)
        errno = error;
    return failed ? -1 : result;
}

/* Gives the attempt the time to wait for the lock.  Only then is there a call of this thread, which polls. */
static int begin(struct filelock *lock)
{
    int result = filelock_acquire_begin(lock, orders->mode, orders->timeout_ms);
    if (result != -EINPROGRESS)
        return result;
    struct pollfd ready = { .fd = filelock_acquire_waitable(lock), .events = POLLIN };
    nap_ms(2);
    while (poll(&ready, 1, -1) <= 0)
        ; /* this call may fail too */
    return filelock_acquire_finish(lock);
}

static int begin_and_abort(struct filelock *lock)
{
    int result = filelock_acquire_begin(lock, orders->mode, FILELOCK_FOREVER);
    if (result != -EINPROGRESS)
        return result;
    nap_ms((int) orders->timeout_ms);
    return filelock_acquire_abort(lock);
}

static int open_handles(struct filelock **lock, struct filelock **second)
{
    int result = filelock_new(lock, orders->path, &orders->options);
    return result == 0 && *orders->second ? filelock_new(second, orders->second, &orders->options) : result;
}

static int release_handles(struct filelock *lock, struct filelock *second)
{
    int result = filelock_release(lock);
    return result == 0 && filelock_held(second) ? filelock_release(second) : result;
}

static int carry_out(struct filelock **lock, struct filelock **second)
{
    struct filelock *const both[] = { *second, *lock };
    memset(&orders->owner, 0, sizeof orders->owner);
    orders->owner.size = sizeof orders->owner;
    switch (orders->order) {
    case ORDER_NEW:
        return open_handles(lock, second);
    case ORDER_ACQUIRE:
        return filelock_acquire(*lock, orders->mode, orders->timeout_ms);
    case ORDER_BEGIN:
        return begin(*lock);
    case ORDER_ABORT:
        return begin_and_abort(*lock);
    case ORDER_SEVERAL:
        return filelock_acquire_several(both, 2, orders->mode, orders->timeout_ms);
    case ORDER_CONVERT:
        return filelock_convert(*lock, orders->mode, orders->timeout_ms);
    case ORDER_RELEASE:
        return release_handles(*lock, *second);
    case ORDER_CHECK:
        return filelock_check(*lock);
    case ORDER_OWNER:
        return filelock_owner(*lock, &orders->owner);
    case ORDER_BREAK:
        return filelock_break(*lock);
    default:
        filelock_free(*lock);
        filelock_free(*second);
        *lock = *second = NULL;
        return 0;
    }
}

static void obey(void *lacks)
{
    struct filelock *lock = NULL, *second = NULL;
    if (impoverish(*(const unsigned *) lacks) != 0)
        _exit(70);
    is_subject = 1;
    for (;;) {
        subject_ready();
        memory_refuse(orders->refuse);
        int64_t start = now_ns();
        orders->result = carry_out(&lock, &second);
        orders->took_ns = now_ns() - start;
        orders->allocations = memory_calls();
        memory_refuse(-1);
        orders->blocks = memory_blocks();
        orders->held = filelock_held(lock);
        orders->held_second = filelock_held(second);
    }
}

/* ---- One trial --------------------------------------------------------------------------------------- */

static struct trial {
    const struct scenario *scenario;
    const struct kind *kind;
    struct subject subject;
    struct raw_lock holder;
    struct signal_pair cancel;
    int overlaid;    /* the lock file is on an overlay file system */
    int descriptors; /* of the subject, before the trial */
    long blocks;     /* that the subject may have afterwards; -1: not known yet */
    char what[320];
} trial;

#define JUDGE(condition, ...)                                                        \
    do {                                                                             \
        char said_[256];                                                             \
        snprintf(said_, sizeof said_, __VA_ARGS__);                                  \
        ck_assert_msg(condition, "%s: %s: %s", trial.kind->name, trial.what, said_); \
    } while (0)

/* Starts the subject if there is none.  Returns 0, or -1 where there can be none. */
static int need_subject(void)
{
    if (trial.subject.pid)
        return 0;
    unsigned lacks = trial.scenario->lacks;
    if (subject_start(&trial.subject, obey, &lacks) != 0)
        return -1;
    ck_assert_int_eq(subject_go(&trial.subject, &no_fault, NULL), 1);
    return 0;
}

static void drop_subject(void)
{
    if (trial.subject.pid)
        subject_kill(&trial.subject);
    trial.subject.pid = 0;
}

static int has_threads(void)
{
    return trial.subject.pid && subject_threads(&trial.subject) > 1;
}

static int command(enum order order, const struct fault *fault, long refuse, void (*blocked)(void))
{
    orders->order = order;
    orders->refuse = refuse;
    int alive = subject_go(&trial.subject, fault, blocked);
    JUDGE(alive, "%s: it has died", trial.subject.what);
    return orders->result;
}

static int acquire_plainly(enum filelock_mode mode, int64_t timeout_ms)
{
    orders->mode = mode;
    orders->timeout_ms = timeout_ms;
    return command(ORDER_ACQUIRE, &no_fault, -1, NULL);
}

static void let_go(void)
{
    raw_unlock(&trial.holder);
}

static void cancel(void)
{
    if (!waitable_is_set(&trial.cancel))
        waitable_set(&trial.cancel);
}

/* Returns the path of the lock file itself, whatever path the handle has. */
static const char *lock_file(void)
{
    const struct scenario *scenario = trial.scenario;
    if (trial.overlaid)
        return scratch("overlaid/lock");
    return scenario->flags & FILELOCK_MAKE_PARENTS ? scratch("folder/inner/lock") : scratch("lock");
}

static void set_scene(void)
{
    const struct scenario *scenario = trial.scenario;
    int file = !(trial.kind->can & CAN_KEEP_FILE) ? 0 : scenario->scene == LOCK_FILE || scenario->scene == LINK;
    snprintf(orders->path, sizeof orders->path, "%s", scenario->scene == LINK ? scratch("link") : lock_file());
    if (file)
        ck_assert_int_eq(write_file(lock_file(), "", 0), 0);
    if (scenario->scene == LINK)
        ck_assert_int_eq(symlink("lock", scratch("link")), 0);
    if (scenario->scene == STALE)
        put_marker(lock_file(), marker_record(dead_pid()));
    if (scenario->scene >= HELD && scenario->scene <= HELD_UNCANCELED)
        ck_assert_int_eq(raw_lock(&trial.holder, trial.kind, lock_file()), 0);
    if (scenario->scene == OURS_TOO || scenario->scene == OURS_TOO_LATER)
        ck_assert_int_eq(raw_share(&trial.holder, trial.kind, lock_file()), 0);
    orders->second[0] = '\0';
    if (scenario->order == ORDER_SEVERAL) {
        ck_assert_int_eq(make_directory(scratch("second")), 0);
        snprintf(orders->second, sizeof orders->second, "%s", scratch("second/lock"));
    }
    orders->options = options_of(trial.kind);
    orders->options.flags = scenario->flags;
    if (scenario->scene == HELD_CANCELED || scenario->scene == HELD_UNCANCELED)
        orders->options.cancel = trial.cancel.waitable;
}

static void clear_scene(void)
{
    raw_unlock(&trial.holder);
    if (waitable_is_set(&trial.cancel))
        waitable_clear(&trial.cancel);
    remove_file(lock_file());
    remove_file(scratch("link"));
    remove_tree(scratch("folder"));
    remove_tree(scratch("second"));
}

/* ---- What is right ----------------------------------------------------------------------------------- */

static int locks(int number)
{
    return number == SYS_flock || number == FCNTL_LOCK;
}

static int opens(int number)
{
#ifdef SYS_open
    if (number == SYS_open)
        return 1;
#endif
    return number == SYS_openat;
}

static int starts_thread(int number)
{
#ifdef SYS_clone3
    if (number == SYS_clone3)
        return 1;
#endif
    return number == SYS_clone;
}

/* True if the call looks at a file, or at what a path names. */
static int looks(int number)
{
#ifdef SYS_lstat
    if (number == SYS_lstat || number == SYS_stat)
        return 1;
#endif
#ifdef SYS_statx
    if (number == SYS_statx)
        return 1;
#endif
    return number == SYS_newfstatat || number == SYS_fstat;
}

static int acquires(enum order order)
{
    return order == ORDER_ACQUIRE || order == ORDER_BEGIN || order == ORDER_SEVERAL;
}

/* True if this answer says something else than that a call has failed. */
static int says_more(enum order order, int result)
{
    if (result == -EINTR || result == -EINVAL)
        return 1;
    switch (order) {
    case ORDER_NEW:
        return 1;
    case ORDER_ACQUIRE:
    case ORDER_BEGIN:
    case ORDER_ABORT:
    case ORDER_SEVERAL:
        return result == -ENOENT || result == -EDEADLK || result == -ECANCELED || result == -EINPROGRESS;
    case ORDER_CONVERT:
        return result == -EPERM || result == -EBUSY || result == -ENOTSUP || result == -ECANCELED;
    case ORDER_RELEASE:
        return result == -EPERM;
    case ORDER_CHECK:
        return result == -EPERM || result == -ESTALE;
    default: /* owner, break */
        return result == -ENOENT || result == -ELOOP;
    }
}

/* True if the header says that the operation answers this when one of its calls fails with this error. */
static int is_documented(int result)
{
    const struct scenario *scenario = trial.scenario;
    int number = trial.subject.hit, error = trial.subject.error;
    if (!error)
        return 0;
    if (result == -error && !says_more(scenario->order, result))
        return 1;
    if (starts_thread(number) && result == -EAGAIN)
        return 1; /* the answer of pthread_create(3) to all of them */
    if (result == -EINTR)
        return (scenario->flags & FILELOCK_INTERRUPTIBLE) != 0 && error == EINTR;
    if (locks(number) && (error == ENOSYS || error == EINVAL) && result == -ENOTSUP)
        return 1;
    if (number == FCNTL_LOCK && error == EACCES && result == -EAGAIN)
        return 1; /* both mean the same (fcntl(2)) */
    if (scenario->order == ORDER_OWNER && result == -ENOTSUP)
        return 1; /* the owner cannot be known */
    if (scenario->order == ORDER_OWNER && result == -ENOENT)
        return error == ESTALE && !(trial.kind->can & CAN_KEEP_FILE); /* a marker that is gone */
    /* These say that the lock is taken: by another holder, or by the owner of a marker that cannot be read. */
    int may_be_refused = acquires(scenario->order) || scenario->order == ORDER_CONVERT;
    if (may_be_refused && scenario->timeout_ms != FILELOCK_FOREVER && result == -ETIMEDOUT)
        return (locks(number) && (error == EAGAIN || error == EACCES)) || (number == SYS_kill && error == EPERM) ||
               (opens(number) && error == EACCES && scenario->scene == STALE);
    return 0;
}

/* True if this answer, other than -ENOMEM, says that memory was refused. */
static int is_answer_without_memory(int result)
{
    switch (trial.scenario->order) {
    case ORDER_OWNER:
        return result == -ENOTSUP;
    case ORDER_BEGIN:
    case ORDER_ABORT:
        return result == -EAGAIN; /* no thread can be started */
    default:
        return 0;
    }
}

/* Returns the pid of the record in the lock file; 0: there is no record. */
static long long recorded(void)
{
    char text[MARKER_SIZE] = "";
    return read_file(lock_file(), text, sizeof text) > 0 ? strtoll(text, NULL, 10) : 0;
}

static void judge_acquired(void)
{
    const struct scenario *scenario = trial.scenario;
    int has_record = !(trial.kind->can & CAN_KEEP_FILE) || scenario->flags & FILELOCK_RECORD_OWNER;
    if (orders->held && has_record)
        JUDGE(recorded() == trial.subject.pid, "the record says %lld", recorded());
    if (orders->held && trial.kind->can & CAN_KEEP_FILE)
        JUDGE(subject_keeps(&trial.subject, lock_file()) == !!(scenario->flags & FILELOCK_KEEP_ON_EXEC),
              "the descriptor is kept on exec, or not");
    if (orders->result == -ETIMEDOUT)
        JUDGE(orders->took_ns >= scenario->timeout_ms * 1000000, "%lld ns", (long long) orders->took_ns);
    if (orders->result == -ECANCELED)
        JUDGE(waitable_is_set(&trial.cancel), "nobody has cancelled it");
}

/*
 * Judges what a release leaves.  Excluding others does not depend on whether the file, or its record, is gone.  So
 * these may be left, if the call that failed was needed to remove them.
 */
static void judge_released(void)
{
    int hit = trial.subject.hit, file = (trial.kind->can & CAN_KEEP_FILE) != 0;
    int unsure = removes(hit) || (file && (looks(hit) || locks(hit)));
    if (!file || trial.scenario->flags & FILELOCK_UNLINK)
        JUDGE(unsure || !path_exists(lock_file()), "the file is there");
    else
        JUDGE(!recorded() || looks(hit) || hit == SYS_ftruncate, "the record is there");
}

static void judge_owner(long refuse)
{
    int64_t right = trial.scenario->scene == OURS ? trial.subject.pid : own_pid();
    const struct filelock_owner *owner = &orders->owner;
    int nameless = !(trial.kind->can & CAN_NAME_PID) && trial.scenario->scene != OURS;
    int unknown = owner->pid == 0 && (trial.subject.error || refuse >= 0 || nameless);
    JUDGE(unknown || owner->pid == right, "pid %lld", (long long) owner->pid);
    JUDGE(owner->alive == (unknown ? -1 : 1), "alive %d", owner->alive);
    JUDGE(unknown || owner->local == 1, "local %d", owner->local);
}

/* Judges an operation that has done what was asked, although something has failed. */
static void judge_success(long refuse)
{
    switch (trial.scenario->order) {
    case ORDER_ACQUIRE:
    case ORDER_BEGIN:
    case ORDER_SEVERAL:
        judge_acquired();
        break;
    case ORDER_RELEASE:
    case ORDER_FREE:
        judge_released();
        break;
    case ORDER_OWNER:
        if (orders->result == 0)
            judge_owner(refuse);
        break;
    default: /* judged in any case */
        break;
    }
}

/* A conversion that fails leaves the lock as it was.  A call that fails may spoil the record. */
static void judge_converted(void)
{
    int down = trial.scenario->mode == FILELOCK_SHARED, exclusive = orders->result == 0 ? !down : down;
    JUDGE(orders->held, "not held any more");
    JUDGE(raw_is_exclusive(trial.kind, lock_file()) == exclusive, "answers %s, and is %sexclusive",
          result_name(orders->result), exclusive ? "not " : "");
    if (trial.scenario->flags & FILELOCK_RECORD_OWNER && !trial.subject.error)
        JUDGE(recorded() == (exclusive ? trial.subject.pid : 0), "the record says %lld", recorded());
}

static void judge_second(void)
{
    JUDGE(orders->held_second == orders->held, "held is %d, of the second %d", orders->held, orders->held_second);
    JUDGE(raw_is_locked(trial.kind, scratch("second/lock")) == orders->held,
          "held is %d, but the second lock is %slocked", orders->held, orders->held ? "not " : "");
}

static void judge(long refuse)
{
    const struct scenario *scenario = trial.scenario;
    int result = orders->result, held = orders->held;
    const struct subject *subject = &trial.subject;
    snprintf(trial.what, sizeof trial.what, "%s: %s, memory %ld", scenario->name, subject->what, refuse);
    if (result == scenario->expected)
        judge_success(refuse);
    else if (refuse >= 0)
        JUDGE(result == -ENOMEM || is_answer_without_memory(result), "answers %s", result_name(result));
    else
        JUDGE(is_documented(result), "answers %s", result_name(result));
    if (acquires(scenario->order))
        JUDGE(held == (result == 0), "answers %s, but held is %d", result_name(result), held);
    if (scenario->order == ORDER_ABORT)
        JUDGE(!held, "answers %s, but held is %d", result_name(result), held);
    if (scenario->order == ORDER_SEVERAL)
        judge_second();
    if (scenario->order == ORDER_CONVERT)
        judge_converted();
    if (scenario->order == ORDER_RELEASE)
        JUDGE(held == (result != 0), "answers %s, but held is %d", result_name(result), held);
    if (scenario->order == ORDER_CHECK)
        JUDGE(held, "not held any more");
    int leaves = scenario->order <= ORDER_RELEASE || scenario->order == ORDER_FREE;
    if (leaves && !held && !trial.holder.held && trial.kind->can & CAN_KEEP_FILE && path_exists(lock_file()))
        JUDGE(!raw_is_locked(trial.kind, lock_file()), "answers %s, not held, but locked", result_name(result));
    if (scenario->order == ORDER_BREAK)
        JUDGE(result != 0 || !path_exists(lock_file()), "answers 0, and the marker is there");
    if (trial.holder.held && scenario->order != ORDER_BREAK)
        JUDGE(raw_is_held(&trial.holder), "another holder has lost its lock");
    if (held)
        JUDGE(raw_is_locked(trial.kind, lock_file()), "held, but not locked");
}

/* Fails the test unless the handle can be used as if nothing had happened. */
static void expect_usable_handle(void)
{
    const struct scenario *scenario = trial.scenario;
    int no_handle = scenario->order == ORDER_FREE || (scenario->order == ORDER_NEW && orders->result != 0);
    if (no_handle)
        JUDGE(command(ORDER_NEW, &no_fault, -1, NULL) == 0, "no handle: %s", result_name(orders->result));
    else if (orders->held)
        JUDGE(command(ORDER_RELEASE, &no_fault, -1, NULL) == 0, "then, release: %s", result_name(orders->result));
    JUDGE(acquire_plainly(FILELOCK_EXCLUSIVE, PATIENCE_MS / 4) == 0, "then, acquire: %s", result_name(orders->result));
    JUDGE(raw_is_locked(trial.kind, lock_file()), "acquired, but not locked");
    JUDGE(command(ORDER_RELEASE, &no_fault, -1, NULL) == 0, "then, release: %s", result_name(orders->result));
    command(ORDER_FREE, &no_fault, -1, NULL);
}

/*
 * A file may be left that could not be removed, or that was moved aside where names cannot be swapped.  It stays until
 * the next takeover from a dead owner.  Its own owner must be dead too.
 */
static void expect_healed(void)
{
    drop_subject();
    put_marker(scratch("lock"), marker_record(dead_pid()));
    pid_t pid = fork();
    if (pid == 0)
        _exit(impoverish(trial.scenario->lacks) || try_soft(scratch("lock"), PATIENCE_MS) ? 1 : 0);
    JUDGE(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS) == 0, "and not usable");
    expect_nothing_at(scratch("lock"));
}

static int starts_threads(const struct scenario *scenario)
{
    int attends = scenario->order == ORDER_BEGIN || scenario->order == ORDER_ABORT;
    return attends || scenario->scene == HELD_CANCELED || scenario->scene == HELD_UNCANCELED ||
           scenario->timeout_ms > 0;
}

/*
 * Waits until at most one helper thread is left.  It is there for the next wait, and takes a block of memory.  Another
 * thread may be about to end.  If two threads have been there at once, the C library keeps a block for the next two.
 */
static void expect_threads_to_end(void)
{
    int64_t end = now_ns() + (int64_t) PATIENCE_MS * 1000000;
    int threads = subject_threads(&trial.subject), hit = trial.subject.hit, kept = starts_threads(trial.scenario);
    if (trial.blocks < 0)
        trial.blocks = orders->blocks + kept;
    while ((threads > 2 || orders->blocks >= trial.blocks + threads) && now_ns() < end) {
        nap_ms(1);
        threads = subject_threads(&trial.subject);
        command(ORDER_FREE, &no_fault, -1, NULL); /* frees nothing, and counts its memory */
    }
    trial.subject.hit = hit;
    JUDGE(threads <= 2, "%d threads", threads);
    JUDGE(orders->blocks < trial.blocks + threads, "%ld blocks of memory more", orders->blocks - trial.blocks);
}

/* A thread that is about to end still has its own. */
static void expect_descriptors_to_close(void)
{
    int64_t end = now_ns() + (int64_t) PATIENCE_MS * 1000000;
    int more, threads, hit = trial.subject.hit;
    for (;;) {
        threads = has_threads(); /* before the count, so that a thread that ends after it is waited for */
        more = subject_descriptors(&trial.subject) - trial.descriptors;
        if (more <= 0 || !threads || now_ns() >= end)
            break;
        nap_ms(1);
        command(ORDER_FREE, &no_fault, -1, NULL);
    }
    trial.subject.hit = hit;
    JUDGE(more == 0, "%d descriptors more", more);
}

static void expect_nothing_left(void)
{
    struct raw_lock lock;
    const char *beside = path_exists(scratch("folder")) ? NULL : file_beside(scratch("lock"));
    expect_threads_to_end();
    expect_descriptors_to_close();
    if (!(trial.kind->can & CAN_KEEP_FILE))
        JUDGE(!path_exists(lock_file()), "the marker is left");
    if (path_exists(lock_file())) {
        JUDGE(raw_lock(&lock, trial.kind, lock_file()) == 0, "the lock is left");
        raw_unlock(&lock);
    }
    if (beside) {
        JUDGE(removes(trial.subject.hit) || trial.scenario->lacks & NO_SWAP, "left behind: %s", beside);
        expect_healed();
    }
}

static void prepare_handle(void)
{
    const struct scenario *scenario = trial.scenario;
    snprintf(trial.what, sizeof trial.what, "%s: beforehand", scenario->name);
    if (scenario->order != ORDER_NEW)
        ck_assert_int_eq(command(ORDER_NEW, &no_fault, -1, NULL), 0);
    int up = scenario->order == ORDER_CONVERT && scenario->mode == FILELOCK_EXCLUSIVE;
    if (scenario->scene >= OURS && scenario->scene <= OURS_TOO_LATER)
        EXPECT(acquire_plainly(up ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    orders->mode = scenario->mode;
    orders->timeout_ms = scenario->timeout_ms;
}

/* Returns 1; 0: the fault hit nothing; -1: nothing can be tried here. */
static int run_trial(const struct fault *fault, long refuse)
{
    const struct scenario *scenario = trial.scenario;
    enum scene scene = scenario->scene;
    int for_a_while = scene == HELD_A_WHILE || scene == HELD_UNCANCELED || scene == OURS_TOO_LATER;
    void (*blocked)(void) = for_a_while ? let_go : NULL;
    if (need_subject() != 0)
        return -1;
    trial.descriptors = subject_descriptors(&trial.subject);
    set_scene();
    prepare_handle();
    command(scenario->order, fault, refuse, scene == HELD_CANCELED ? cancel : blocked);
    int hit = trial.subject.hit >= 0 || (refuse >= 0 && refuse < orders->allocations);
    judge(refuse);
    raw_unlock(&trial.holder);
    if (waitable_is_set(&trial.cancel))
        waitable_clear(&trial.cancel);
    int number = trial.subject.hit;
    expect_usable_handle();
    trial.subject.hit = number;
    expect_nothing_left();
    clear_scene();
    if (starts_threads(scenario) || has_threads())
        drop_subject(); /* so that the next trial starts a thread too, and no thread ends during that trial */
    return hit;
}

/* ---- All of them ------------------------------------------------------------------------------------- */

/*
 * Makes each call of the scenario fail with each of its errors; in a short run, with one of them, which differs from
 * call to call.  Returns the number of trials, or -1 where calls cannot be traced.
 */
static int fail_calls(void)
{
    int all = scaled(2, 1) > 1, first = all ? 0 : (int) (trial.scenario - scenarios), trials = 0;
    struct fault fault = { 0, first };
    if (run_trial(&no_fault, -1) < 0)
        return -1;
    while (run_trial(&fault, -1) > 0) {
        int errors = all ? errors_count(trial.subject.hit) : 1;
        for (int i = 1; i < errors; i++) {
            fault.choice++;
            trials += run_trial(&fault, -1);
        }
        trials++;
        fault.at = subject_next_call(fault.at, 1);
        fault.choice = all ? 0 : fault.at + first;
        ck_assert_int_lt(fault.at, CALLS_MOST);
    }
    return trials;
}

static void fail_allocations(void)
{
    if (!memory_is_counted()) {
        say_skipped("allocations that fail", "a sanitizer has malloc()");
        return;
    }
    for (long at = 0; run_trial(&no_fault, at) > 0; at++)
        ;
}

static int applies(const struct scenario *scenario, const struct kind *kind)
{
    int soft = !(kind->can & CAN_KEEP_FILE);
    if (!(kind->can & CAN_LAST))
        return 0; /* the thread that renews makes calls of its own, at any time */
    if (scenario->wants & WANTS_SOFT)
        return soft;
    if (scenario->wants & WANTS_FILE)
        return !soft;
    return (kind->can & scenario->wants) == scenario->wants;
}

/* Returns 0, or -1 where calls cannot be traced. */
static int fail_everything(const struct scenario *scenario, const struct kind *kind, int overlaid)
{
    orders = shared_memory(sizeof *orders);
    trial = (struct trial) { .scenario = scenario, .kind = kind, .blocks = -1, .overlaid = overlaid };
    waitable_open(&trial.cancel);
    int trials = fail_calls();
    if (trials >= 0)
        fail_allocations();
    drop_subject();
    waitable_close(&trial.cancel);
    printf("%s: %s: %d trials\n", kind->name, scenario->name, trials);
    return trials < 0 ? -1 : 0;
}

START_TEST(test_faults)
{
    const struct kind *kind = kind_at(_i / SCENARIOS);
    const struct scenario *scenario = &scenarios[_i % SCENARIOS];
    if (!applies(scenario, kind))
        return;
    NEEDS_TRACES();
    if (fail_everything(scenario, kind, 0) < 0)
        SKIP("system calls cannot be traced here");
}
END_TEST

/*
 * Mounts a file system on which stat(2) tells another device than /proc/locks does.  Returns 0, or -1 where that is not
 * possible.
 */
static int mount_overlay(void)
{
    char options[4096];
    int length = snprintf(options, sizeof options, "xino=off,lowerdir=%s", scratch("below"));
    ck_assert_int_eq(
        make_directory(scratch("below")) || make_directory(scratch("above")) || make_directory(scratch("overlaid")), 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", scratch("above"), "tmpfs", 0, NULL) != 0)
        return -1;
    length += snprintf(options + length, sizeof options - (size_t) length, ",upperdir=%s", scratch("above/upper"));
    snprintf(options + length, sizeof options - (size_t) length, ",workdir=%s", scratch("above/work"));
    ck_assert_int_eq(make_directory(scratch("above/upper")) || make_directory(scratch("above/work")), 0);
    return mount("none", scratch("overlaid"), "overlay", 0, options);
}

/* Whatever of /proc cannot be read, the owner is right, or not known. */
START_TEST(test_owner_on_overlay)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    NEEDS_TRACES();
    if (mount_overlay() != 0)
        SKIP("wants to be allowed a file system of its own");
    for (int i = 0; i < SCENARIOS; i++)
        if (scenarios[i].order == ORDER_OWNER && fail_everything(&scenarios[i], kind, 1) < 0)
            SKIP("system calls cannot be traced here");
    umount(scratch("overlaid"));
    umount(scratch("above"));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *tcase = add_case(suite, "faults");
    tcase_add_loop_test(tcase, test_faults, 0, kinds_count() * SCENARIOS);
    tcase = add_case(suite, "overlay");
    ADD_FOR_KINDS(tcase, test_owner_on_overlay);
    return suite;
}
