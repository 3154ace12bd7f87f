/* SPDX-License-Identifier: MIT
 *
 * test_interleaved.c - what another process does between any two system calls of an operation.
 *
 * A process does the operation and is paused at one of its calls: the first, and then each third, or fewer.  Meanwhile
 * the test acquires, releases, breaks, dies, or deletes the lock file.  The operation's answer must be the same as if
 * all this had been done before it, or after it.  No process may lose a lock that it holds, and nothing may be left
 * behind.  Or another thread of the process forks meanwhile.
 */
#include "markers.h"
#include "raw.h"
#include "storm.h"
#include "subject.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) ((int) (sizeof(array) / sizeof *(array)))
#define WAIT_MS 30000

enum order {
    ORDER_TRY,
    ORDER_WAIT,
    ORDER_BEGIN,   /* then the waitable is polled, and the attempt is finished */
    ORDER_ABORT,   /* an attempt that has been under way for a moment */
    ORDER_SEVERAL, /* a second lock, and then the lock */
    ORDER_CONVERT, /* to the other mode */
    ORDER_RELEASE,
    ORDER_CHECK,
    ORDER_OWNER,
    ORDER_BREAK
};

/* The situation at the beginning. */
enum scene {
    NOTHING,     /* there is no lock file */
    STALE,       /* there is the marker of a dead process */
    OURS,        /* the subject holds the lock */
    OURS_SHARED, /* the subject holds the lock, shared */
    THEIRS       /* the test holds the lock */
};

/* What the test does meanwhile. */
enum act { HAS_IT, HAS_IT_LET, KEEPS_IT, DIES, RELEASES, HANDS_OVER, BREAKS, DELETES, USURPS, ACTS };

static const char *const act_names[ACTS] = {
    [HAS_IT] = "acquires it if it is free, and releases it",
    [HAS_IT_LET] = "acquires it if nobody has died with it, and releases it",
    [KEEPS_IT] = "acquires it if it is free",
    [DIES] = "dies with it",
    [RELEASES] = "releases it",
    [HANDS_OVER] = "releases it, and acquires it again",
    [BREAKS] = "breaks it",
    [DELETES] = "deletes the lock file",
    [USURPS] = "deletes the lock file, and acquires it",
};

static const struct operation {
    const char *name;
    int soft_only;
    enum scene scene;
    enum order order;
    unsigned wants; /* abilities of the kind */
} operations[] = {
    { "try", 0, NOTHING, ORDER_TRY, 0 },
    { "try, held", 0, THEIRS, ORDER_TRY, 0 },
    { "take over", 1, STALE, ORDER_TRY, 0 },
    { "wait", 0, THEIRS, ORDER_WAIT, 0 },
    { "begin", 0, THEIRS, ORDER_BEGIN, 0 },
    { "abort", 0, THEIRS, ORDER_ABORT, 0 },
    { "several", 0, THEIRS, ORDER_SEVERAL, 0 },
    { "convert down", 0, OURS, ORDER_CONVERT, CAN_SHARE },
    { "convert up", 0, OURS_SHARED, ORDER_CONVERT, CAN_CONVERT_UP },
    { "release", 0, OURS, ORDER_RELEASE, 0 },
    { "check", 0, OURS, ORDER_CHECK, 0 },
    { "owner", 0, NOTHING, ORDER_OWNER, 0 },
    { "owner, held", 0, THEIRS, ORDER_OWNER, 0 },
    { "owner, stale", 1, STALE, ORDER_OWNER, 0 },
    { "break, held", 1, THEIRS, ORDER_BREAK, 0 },
    { "break, stale", 1, STALE, ORDER_BREAK, 0 },
};

/* Whether the kind is soft, what the system lacks, and the flags of the handles. */
static const struct variant {
    int soft;
    unsigned lacks, flags;
} variants[] = {
    { 0, 0, 0 },
    { 0, 0, FILELOCK_UNLINK },
    { 0, 0, FILELOCK_RECORD_OWNER },
    { 0, 0, FILELOCK_UNLINK | FILELOCK_RECORD_OWNER },
    { 1, 0, 0 },
    { 1, NO_UNNAMED | NO_SWAP, 0 },
    { 1, NO_LOCKS, 0 },
    { 1, NO_UNNAMED | NO_SWAP | NO_LOCKS, 0 },
    { 1, 0, FILELOCK_NEVER_BREAK },
};

/* ---- The subject ------------------------------------------------------------------------------------- */

/* What the subject tells the test. */
static struct answers {
    int result, held, held_second, check, release;
    int64_t owner;
    sem_t fork;            /* posted when a thread is to fork, or to end */
    int told, over, child; /* it was posted at a call; the operation is over; the status of the child */
} * answers;

static struct trial {
    const struct kind *kind;
    const struct operation *operation;
    const struct variant *variant;
    int owners_known; /* the owner is known without a record */
    enum act act;
    struct subject subject;
    struct filelock *lock; /* the test's handle */
    int deleted;           /* the file of the process that held the lock then was deleted */
    int result;            /* of what the test did */
    int present;           /* there was a lock file, or a marker, after the test had done it */
    int first;             /* the test did it before the operation looked at anything */
    int at;                /* the number of the system call at which it was done; -1: none, nothing was done */
    char where[160];
    int seen;   /* at an earlier call: a break has returned 0 */
    int spared; /* at an earlier call: the test kept the lock that it acquired */
} trial;

#define JUDGE(condition, ...)                                                                         \
    do {                                                                                              \
        char said_[160];                                                                              \
        snprintf(said_, sizeof said_, __VA_ARGS__);                                                   \
        ck_assert_msg(condition, "%s, lacks %u, flags %u: %s: %s: %s (%s): %s", trial.kind->name,     \
                      trial.variant->lacks, trial.variant->flags, trial.operation->name, trial.where, \
                      act_names[trial.act], result_name(trial.result), said_);                        \
    } while (0)

static int is_soft(void)
{
    return !(trial.kind->can & CAN_KEEP_FILE);
}

/* Calls nothing of Check, because forked processes call this too. */
static int open_at(struct filelock **lock, const char *path, unsigned more)
{
    struct filelock_options options = options_of(trial.kind);
    options.flags = trial.variant->flags | more;
    return filelock_new(lock, path, &options);
}

static int open_quietly(struct filelock **lock, unsigned more)
{
    return open_at(lock, scratch("lock"), more);
}

static struct filelock *open_lock(unsigned more)
{
    struct filelock *lock = NULL;
    EXPECT(open_quietly(&lock, more), 0);
    return lock;
}

/* Gives the attempt the time to wait for the lock.  Only then is there a call of this thread, which polls. */
static int begin(struct filelock *lock)
{
    int result = filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, WAIT_MS);
    if (result != -EINPROGRESS)
        return result;
    struct pollfd ready = { .fd = filelock_acquire_waitable(lock), .events = POLLIN };
    nap_ms(2);
    while (poll(&ready, 1, -1) <= 0)
        ;
    return filelock_acquire_finish(lock);
}

static int begin_and_abort(struct filelock *lock)
{
    int result = filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, WAIT_MS);
    if (result != -EINPROGRESS)
        return result == 0 ? filelock_release(lock) : result;
    nap_ms(2);
    return filelock_acquire_abort(lock);
}

static enum filelock_mode mode_of(enum scene scene)
{
    return scene == OURS_SHARED ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE;
}

static int carry_out(struct filelock *lock, struct filelock *second)
{
    struct filelock_owner owner = { .size = sizeof owner };
    struct filelock *const both[] = { second, lock };
    enum scene scene = trial.operation->scene;
    switch (trial.operation->order) {
    case ORDER_TRY:
        return filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    case ORDER_WAIT:
        return filelock_acquire(lock, FILELOCK_EXCLUSIVE, WAIT_MS);
    case ORDER_BEGIN:
        return begin(lock);
    case ORDER_ABORT:
        return begin_and_abort(lock);
    case ORDER_SEVERAL:
        return filelock_acquire_several(both, 2, FILELOCK_EXCLUSIVE, WAIT_MS);
    case ORDER_CONVERT:
        return filelock_convert(lock, scene == OURS ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    case ORDER_RELEASE:
        return filelock_release(lock);
    case ORDER_CHECK:
        return filelock_check(lock);
    case ORDER_OWNER: {
        int result = filelock_owner(lock, &owner);
        answers->owner = owner.pid;
        return result;
    }
    default:
        return filelock_break(lock);
    }
}

static void obey(void *unused)
{
    struct filelock *lock = NULL, *second = NULL;
    enum scene scene = trial.operation->scene;
    (void) unused;
    if (open_quietly(&lock, 0) != 0 || open_at(&second, scratch("second/lock"), 0) != 0)
        _exit(70);
    subject_ready();
    if ((scene == OURS || scene == OURS_SHARED) && filelock_acquire(lock, mode_of(scene), FILELOCK_TRY) != 0)
        _exit(71);
    subject_ready();
    answers->result = carry_out(lock, second);
    subject_ready();
    answers->held = filelock_held(lock);
    answers->held_second = filelock_held(second);
    answers->check = filelock_check(lock);
    subject_ready();
    answers->release = filelock_release(lock);
    filelock_free(lock);
    filelock_free(second);
    subject_ready();
}

/* Returns 0 if the child has nothing of its parent's, and can use the handle. */
static int be_a_child(struct filelock *lock)
{
    enum scene scene = trial.operation->scene;
    if (filelock_held(lock) || filelock_acquire_waitable(lock) != FILELOCK_NO_WAITABLE)
        return 1;
    if (filelock_acquire_finish(lock) != -EINVAL || filelock_acquire_abort(lock) != -EINVAL)
        return 2;
    int result = begin_and_abort(lock);
    if (result == 0)
        result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (result != 0 && result != -ETIMEDOUT)
        return 3;
    if (result == 0 && (scene == OURS || scene == OURS_SHARED || filelock_release(lock) != 0))
        return 4;
    while (!__atomic_load_n(&answers->over, __ATOMIC_SEQ_CST))
        nap_ms(1); /* what the child has a copy of would show in the operation */
    filelock_free(lock);
    return 0;
}

static void *fork_when_told(void *lock)
{
    while (sem_wait(&answers->fork) != 0)
        ;
    if (!answers->told)
        return NULL;
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(be_a_child(lock));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    answers->child = status;
    return NULL;
}

/* Does as obey() does, while another thread forks at a call. */
static void obey_and_fork(void *unused)
{
    struct filelock *lock = NULL, *second = NULL;
    enum scene scene = trial.operation->scene;
    pthread_t thread;
    (void) unused;
    if (open_quietly(&lock, 0) != 0 || open_at(&second, scratch("second/lock"), 0) != 0 ||
        pthread_create(&thread, NULL, fork_when_told, lock) != 0)
        _exit(70);
    subject_ready();
    if ((scene == OURS || scene == OURS_SHARED) && filelock_acquire(lock, mode_of(scene), FILELOCK_TRY) != 0)
        _exit(71);
    subject_ready();
    answers->result = carry_out(lock, second);
    __atomic_store_n(&answers->over, 1, __ATOMIC_SEQ_CST);
    if (!answers->told)
        sem_post(&answers->fork);
    pthread_join(thread, NULL);
    subject_ready();
    answers->held = filelock_held(lock);
    filelock_free(lock);
    filelock_free(second);
    subject_ready();
}

static void note_where(void)
{
    trial.at = trial.subject.hit;
    snprintf(trial.where, sizeof trial.where, "%s", trial.subject.what);
}

static void go_on(const struct fault *fault, void (*blocked)(void))
{
    JUDGE(subject_go(&trial.subject, fault, blocked) == 1, "it has died");
}

/* ---- What the test does ------------------------------------------------------------------------------ */

static int has_it(void)
{
    return filelock_held(trial.lock);
}

static void try_it(struct filelock *lock)
{
    trial.result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    JUDGE(trial.result == 0 || trial.result == -ETIMEDOUT, "the other's acquire");
}

static void let_go(void)
{
    if (!has_it())
        return;
    trial.result = filelock_release(trial.lock);
    JUDGE(trial.result == 0, "the other's release");
}

static void have_it(unsigned more)
{
    struct filelock *lock = open_lock(more);
    try_it(lock);
    filelock_free(lock);
}

/*
 * Releases the lock, and acquires it again.  If the test had released it before, for a subject that waits, it releases
 * it once more: the subject is not waited for again.
 */
static void hand_over(void)
{
    int keeps = has_it();
    let_go();
    try_it(trial.lock);
    if (!keeps)
        let_go();
}

static void die_with_it(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct filelock *lock = NULL;
        int result = open_quietly(&lock, 0);
        if (result == 0)
            result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
        if (result == 0 || result == -ETIMEDOUT)
            kill(getpid(), SIGKILL);
        _exit(70);
    }
    JUDGE(process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS) == 128 + SIGKILL, "the other's acquire");
}

static void break_it(void)
{
    trial.result = filelock_break(trial.lock);
    JUDGE(trial.result == 0 || trial.result == -ENOENT, "the other's break");
}

static void delete_it(void)
{
    trial.deleted |= remove_file(scratch("lock")) == 0;
}

static void do_act(void)
{
    switch (trial.act) {
    case HAS_IT:
        have_it(0);
        break;
    case HAS_IT_LET:
        have_it(FILELOCK_NEVER_BREAK);
        break;
    case KEEPS_IT:
        try_it(trial.lock);
        break;
    case DIES:
        die_with_it();
        break;
    case RELEASES:
        let_go();
        break;
    case HANDS_OVER:
        hand_over();
        break;
    case BREAKS:
        trial.deleted |= path_exists(scratch("lock"));
        break_it();
        break;
    case DELETES:
        delete_it();
        break;
    default: /* USURPS */
        delete_it();
        try_it(trial.lock);
        break;
    }
}

static void act(void)
{
    note_where();
    do_act();
    trial.present = path_exists(scratch("lock"));
}

/* True if the act makes a difference for the operation, and can be judged. */
static int applies(enum act act, const struct operation *operation)
{
    int soft = is_soft(), theirs = operation->scene == THEIRS;
    if ((operation->soft_only && !soft) || (trial.kind->can & operation->wants) != operation->wants)
        return 0;
    if (operation->order == ORDER_OWNER && !trial.owners_known)
        return 0;
    if (act == RELEASES || act == HANDS_OVER)
        return theirs;
    if (act == BREAKS) /* each takes half a second, because it waits for the breaker that is paused: not everywhere */
        return soft && (operation->scene != STALE || !(trial.variant->lacks & NO_LOCKS));
    if (act == HAS_IT_LET)
        return soft && operation->scene == STALE;
    return !theirs || act == DELETES;
}

/* ---- What is right ----------------------------------------------------------------------------------- */

static int waits(const struct operation *operation)
{
    return operation->order == ORDER_WAIT || operation->order == ORDER_BEGIN || operation->order == ORDER_SEVERAL;
}

static int may_be_either(void)
{
    int theirs = trial.operation->scene == THEIRS && trial.act != HANDS_OVER;
    int never = trial.variant->flags & FILELOCK_NEVER_BREAK && (trial.operation->scene == STALE || trial.act == DIES);
    return theirs || never;
}

static void judge_acquire(void)
{
    int result = answers->result;
    JUDGE(result == 0 || result == -ETIMEDOUT, "answers %s", result_name(result));
    JUDGE(answers->held == (result == 0), "answers %s, and held is %d", result_name(result), answers->held);
    if (result == 0 && has_it())
        JUDGE(trial.deleted && (answers->check == -ESTALE || filelock_check(trial.lock) == -ESTALE), "both hold it");
    if (result == 0 && !trial.deleted)
        JUDGE(answers->check == 0, "check: %s", result_name(answers->check));
    if (result != 0 && !has_it())
        JUDGE(may_be_either(), "answers %s, but the lock is free", result_name(result));
    if (waits(trial.operation))
        JUDGE(result == 0, "the wait has ended in vain");
    if (trial.operation->order == ORDER_SEVERAL)
        JUDGE(answers->held_second == answers->held, "held is %d, of the second lock %d", answers->held,
              answers->held_second);
}

/*
 * No other process gets in between, by an exclusive lock, while the mode changes.  A conversion to exclusive opens the
 * file by its path, and so may fail when that is deleted.
 */
static void judge_convert(void)
{
    int tries = trial.at >= 0 && (trial.act == HAS_IT || trial.act == KEEPS_IT), result = answers->result;
    int lost = trial.deleted && trial.operation->scene == OURS_SHARED && (result == -ENOENT || result == -ESTALE);
    JUDGE(result == 0 || lost, "answers %s", result_name(result));
    JUDGE(answers->held, "not held any more");
    JUDGE(!tries || trial.result == -ETIMEDOUT, "the other gets in");
    JUDGE(answers->check == (trial.deleted ? -ESTALE : 0), "check: %s", result_name(answers->check));
}

/* True if the lock was held at every look of the operation, or at none. */
static int is_definite(void)
{
    return trial.first || trial.at < 0 || trial.act == HANDS_OVER;
}

static void judge_owner(void)
{
    int result = answers->result, held = is_soft() ? trial.present : has_it() && filelock_check(trial.lock) == 0;
    int64_t owner = answers->owner;
    JUDGE(result == 0 || result == -ENOENT, "answers %s", result_name(result));
    if (is_definite())
        JUDGE(result == (held ? 0 : -ENOENT), "answers %s, and held is %d", result_name(result), held);
    if (result == 0 && trial.operation->scene != STALE && trial.act != DIES)
        JUDGE(owner == 0 || owner == own_pid(), "owner %lld", (long long) owner);
}

/* A marker that the operation has seen is gone when it ends, whichever process has removed it. */
static void judge_break(void)
{
    int result = answers->result;
    if (trial.first)
        JUDGE(result == (trial.present ? 0 : -ENOENT), "answers %s", result_name(result));
    trial.seen |= result == 0;
    JUDGE(result == 0 || (result == -ENOENT && !trial.seen), "answers %s", result_name(result));
    if (!has_it() && trial.act != DIES)
        JUDGE(!path_exists(scratch("lock")), "not broken");
}

/*
 * True if the test may lose its lock.  No system call removes a file only if it is a certain file.  When the operation
 * has looked at a file and is about to remove it, another file may come to its place.  That file is lost if it came by
 * hand, or after the release of a live holder.
 */
static int may_lose_it(void)
{
    int breaks = trial.operation->order == ORDER_BREAK;
    if (breaks && (trial.first || trial.at < 0))
        return 1;
    if (breaks)
        return !trial.spared || (removes(trial.at) && (trial.deleted || trial.operation->scene == THEIRS));
    return trial.deleted && (trial.act != USURPS || (removes(trial.at) && !trial.first));
}

/* Fails the test if it has lost a lock that it holds, unless that may happen. */
static void judge_other(void)
{
    int keeps = filelock_check(trial.lock) == 0 && raw_is_locked(trial.kind, scratch("lock"));
    JUDGE(keeps || may_lose_it(), "the other has lost it");
    trial.spared |= keeps && trial.at >= 0;
}

static void judge(void)
{
    int result = answers->result;
    switch (trial.operation->order) {
    case ORDER_TRY:
    case ORDER_WAIT:
    case ORDER_BEGIN:
    case ORDER_SEVERAL:
        judge_acquire();
        break;
    case ORDER_CONVERT:
        judge_convert();
        break;
    case ORDER_ABORT:
    case ORDER_RELEASE:
        JUDGE(result == 0 && !answers->held, "answers %s, held %d", result_name(result), answers->held);
        break;
    case ORDER_CHECK:
        JUDGE(result == 0 || (result == -ESTALE && trial.deleted), "answers %s", result_name(result));
        JUDGE(result != 0 || !trial.first || !trial.deleted, "does not see that the file is gone");
        JUDGE(answers->held, "not held any more");
        break;
    case ORDER_OWNER:
        judge_owner();
        break;
    default:
        judge_break();
        break;
    }
    if (has_it())
        judge_other();
}

static void expect_nothing_left(void)
{
    int soft = is_soft(), never = trial.variant->flags & FILELOCK_NEVER_BREAK;
    struct filelock *lock = open_lock(0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (never && soft && result == -ETIMEDOUT)
        result = filelock_break(lock);
    JUDGE(result == 0, "then, acquire or break: %s", result_name(result));
    filelock_free(lock);
    if (soft || trial.variant->flags & FILELOCK_UNLINK)
        JUDGE(!path_exists(scratch("lock")), "the file is left");
    const char *left = soft ? file_beside(scratch("lock")) : NULL;
    JUDGE(!left, "left behind: %s", left ? left : "nothing");
    remove_file(scratch("lock"));
    if (trial.operation->order != ORDER_SEVERAL)
        return;
    JUDGE(!raw_is_locked(trial.kind, scratch("second/lock")), "the second lock is left");
    left = soft ? file_beside(scratch("second/lock")) : NULL;
    JUDGE(!left, "left behind beside the second lock: %s", left ? left : "nothing");
}

/* ---- One trial --------------------------------------------------------------------------------------- */

static void set_scene(int call)
{
    answers->result = 1;
    trial.deleted = trial.result = 0;
    trial.first = call == 0;
    trial.where[0] = '\0';
    if (trial.operation->scene == STALE)
        put_marker(scratch("lock"), marker_record(dead_pid()));
    if (trial.operation->scene == THEIRS)
        EXPECT(filelock_acquire(trial.lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    trial.present = path_exists(scratch("lock"));
}

/*
 * Pauses the operation at a call.  Returns:
 * - 1: the operation was paused
 * - 0: it ended before that call
 * - -1: system calls cannot be traced
 */
static int run_trial(int call)
{
    struct fault fault = { call, PAUSE };
    if (subject_start(&trial.subject, obey, NULL) != 0)
        return -1;
    go_on(&no_fault, NULL);
    set_scene(call);
    go_on(&no_fault, NULL);
    trial.subject.doom = act;
    go_on(&fault, waits(trial.operation) ? let_go : NULL);
    int paused = trial.subject.hit >= 0;
    note_where();
    go_on(&no_fault, NULL);
    judge();
    go_on(&no_fault, NULL);
    if (answers->held)
        JUDGE(answers->release == 0, "release: %s", result_name(answers->release));
    subject_kill(&trial.subject);
    let_go();
    expect_nothing_left();
    return paused;
}

/*
 * Returns how many calls lie between two trials, and stores the first call.  Each pair of an act and an operation
 * begins with another call; under torture, also each run.  Operations that make many calls have longer strides.
 */
static int stride_of(int pair, int *first)
{
    enum order order = trial.operation->order;
    int many = order == ORDER_BEGIN || order == ORDER_ABORT || order == ORDER_SEVERAL;
    int stride = (many ? 18 : 9) / scaled(3, 1);
    int moved = getenv("FILELOCK_TORTURE_SECONDS") ? (int) (now_ns() % 1000) : 0;
    *first = 1 + (pair + moved) % stride;
    return stride;
}

/* Returns -1 where system calls cannot be traced. */
static int interleave(enum act act, int pair)
{
    int paused = 1, first, stride = stride_of(pair, &first);
    trial.act = act;
    trial.seen = act == HAS_IT_LET; /* there is a marker to break at any time */
    trial.spared = 0;
    for (int call = 0; paused > 0; call = call ? subject_next_call(call, stride) : first) {
        trial.lock = open_lock(0);
        paused = run_trial(call);
        filelock_free(trial.lock);
        ck_assert_int_lt(call, CALLS_MOST);
    }
    return paused;
}

/* ---- Forks ------------------------------------------------------------------------------------------- */

static void tell_to_fork(void)
{
    answers->told = 1;
    sem_post(&answers->fork);
}

/* Returns as run_trial() does. */
static int fork_at(int call)
{
    int wants_it = trial.operation->order != ORDER_ABORT;
    struct fault fault = { call, HOLD };
    sem_init(&answers->fork, 1, 0);
    answers->told = answers->over = answers->child = 0;
    if (subject_start(&trial.subject, obey_and_fork, NULL) != 0)
        return -1;
    go_on(&no_fault, NULL);
    set_scene(call);
    go_on(&no_fault, NULL);
    trial.subject.doom = tell_to_fork;
    go_on(&fault, waits(trial.operation) ? let_go : NULL);
    int hit = trial.subject.hit >= 0;
    note_where();
    go_on(&no_fault, NULL);
    JUDGE(answers->result == 0, "with a fork: answers %s", result_name(answers->result));
    JUDGE(answers->held == wants_it, "with a fork: held is %d", answers->held);
    JUDGE(answers->child == 0, "the child's status is %d", answers->child);
    subject_kill(&trial.subject);
    let_go();
    expect_nothing_left();
    sem_destroy(&answers->fork);
    return hit;
}

/* Forks at each third call of an operation, of whichever thread.  Returns -1 where system calls cannot be traced. */
static int fork_everywhere(void)
{
    int hit = 1, stride = 9 / scaled(3, 1);
    for (int call = 0; hit > 0; call = subject_next_call(call, stride)) {
        trial.lock = open_lock(0);
        hit = fork_at(call);
        filelock_free(trial.lock);
        ck_assert_int_lt(call, CALLS_MOST);
    }
    return hit;
}

/* A child that is forked at any call has no attempt and no lock, takes none away, and can use the handle. */
START_TEST(test_forked)
{
    static const struct variant plain = { 0, 0, 0 };
    NEEDS_TRACES();
    NEEDS_FORK_BESIDE_THREADS();
    ck_assert_int_eq(make_directory(scratch("second")), 0);
    answers = shared_memory(sizeof *answers);
    trial = (struct trial) { .kind = kind_at(_i), .variant = &plain };
    if (!(trial.kind->can & CAN_LAST))
        SKIP("the thread that renews makes calls of its own, at any time");
    for (int i = 0; i < COUNT(operations); i++) {
        enum order order = operations[i].order;
        trial.operation = &operations[i];
        if (order < ORDER_BEGIN || order > ORDER_CONVERT ||
            (trial.kind->can & operations[i].wants) != operations[i].wants)
            continue;
        if (fork_everywhere() < 0)
            SKIP("system calls cannot be traced here");
    }
}
END_TEST

/* ---- Pairs of an operation and an act ---------------------------------------------------------------- */

static int are_owners_known(void)
{
    struct filelock_owner owner = { .size = sizeof owner };
    struct filelock *lock = open_lock(0);
    ck_assert_int_eq(write_file(scratch("lock"), "", 0), 0);
    int result = filelock_owner(lock, &owner);
    remove_file(scratch("lock"));
    filelock_free(lock);
    return result != -ENOTSUP;
}

/*
 * Stores the variant of this index, of all kinds' variants one after the other.  Returns their number if `index` is
 * none of them.
 */
static int variant_at(int index, const struct kind **kind, const struct variant **variant)
{
    int count = 0;
    for (int i = 0; i < kinds_count() * COUNT(variants); i++) {
        *kind = kind_at(i / COUNT(variants));
        *variant = &variants[i % COUNT(variants)];
        /* A lease is left out: the thread that renews makes calls of its own, at any time. */
        if ((*kind)->can & CAN_LAST && (*variant)->soft == !((*kind)->can & CAN_KEEP_FILE) && count++ == index)
            break;
    }
    return count;
}

START_TEST(test_interleaved)
{
    const struct kind *kind;
    const struct variant *variant;
    NEEDS_TRACES();
    variant_at(_i, &kind, &variant);
    if (impoverish(variant->lacks) != 0)
        SKIP("system calls cannot be denied here");
    ck_assert_int_eq(make_directory(scratch("second")), 0);
    answers = shared_memory(sizeof *answers);
    trial = (struct trial) { .kind = kind, .variant = variant };
    trial.owners_known = are_owners_known();
    for (int i = 0; i < COUNT(operations); i++)
        for (enum act act = 0; act < ACTS; act++) {
            trial.operation = &operations[i];
            if (applies(act, &operations[i]) && interleave(act, i + (int) act + _i) < 0)
                SKIP("system calls cannot be traced here");
        }
    if (!trial.owners_known)
        say_skipped(__func__, "holders cannot be known here");
}
END_TEST

Suite *make_suite(void)
{
    const struct kind *kind;
    const struct variant *variant;
    Suite *suite = suite_create("interleaved");
    TCase *tcase = add_case(suite, "pairs");
    tcase_add_loop_test(tcase, test_interleaved, 0, variant_at(-1, &kind, &variant));
    ADD_FOR_KINDS(tcase, test_forked);
    return suite;
}
