/* SPDX-License-Identifier: MIT
 *
 * test_crash.c - kill -9 at every system call of acquire, hold, release and break, while other processes contend.
 *
 * These contenders go on all the time, and log when they are inside.  After each death both must get the lock again.
 * At the end the whole history is judged.
 */
#include "history.h"
#include "markers.h"
#include "storm.h"
#include "subject.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) ((int) (sizeof(array) / sizeof *(array)))
#define CONTENDERS 2

/* Shared by all processes. */
static struct scene {
    int stop;
    int64_t got[CONTENDERS]; /* how often each contender has had the lock */
    int wrong;               /* an error that a contender got */
    int held, let_go;        /* set by, and for, a holder whose lock is to be broken */
    struct history history;
} * scene;

/* What all processes need to know. */
static struct plan {
    const struct kind *kind;
    const char *path;
    unsigned flags;
    int tolerant;     /* victims may get errors */
    int yields;       /* how often a process that is inside yields the processor */
    int stopped;      /* true while the contenders are stopped, until something has happened */
    void (*at)(void); /* called when a victim is about to be killed; NULL: its doom is logged */
    unsigned victims; /* so far; gives each victim a number of its own */
    char what[160];   /* what happened to the last victim */
} plan;

static int can_share(void)
{
    return (plan.kind->can & CAN_SHARE) != 0;
}

/* ---- Inside ------------------------------------------------------------------------------------------ */

static void stay(uint32_t who, enum filelock_mode mode, int yields)
{
    history_add(&scene->history, who, mode == FILELOCK_SHARED ? EVENT_ENTERS_READING : EVENT_ENTERS_WRITING);
    for (int i = 0; i < yields; i++)
        sched_yield();
    history_add(&scene->history, who, EVENT_LEAVES);
}

static void went_wrong(int result)
{
    if (plan.tolerant)
        return;
    __atomic_store_n(&scene->wrong, result, __ATOMIC_SEQ_CST);
}

/* True if the process got the lock. */
static int visit(struct filelock *lock, uint32_t who, enum filelock_mode mode, int64_t timeout_ms)
{
    int result = filelock_acquire(lock, mode, timeout_ms);
    if (result == 0) {
        stay(who, mode, plan.yields);
        result = filelock_release(lock);
        if (result != 0)
            went_wrong(result);
        return 1;
    }
    if (result != -ETIMEDOUT)
        went_wrong(result);
    return 0;
}

static struct filelock *open_at(const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    options.kind = plan.kind->kind;
    options.flags = plan.flags;
    if (filelock_new(&lock, path, &options) != 0)
        _exit(70);
    return lock;
}

static struct filelock *open_lock(void)
{
    return open_at(plan.path);
}

/* ---- Contenders ------------------------------------------------------------------------------------- */

/* If FILELOCK_TORTURE_APART is set, each contender has a lock of its own, and the judge must find that out. */
static void contend(int index)
{
    static const int64_t timeouts[] = { FILELOCK_FOREVER, 50, FILELOCK_TRY, 60000 };
    if (index > 0 && getenv("FILELOCK_TORTURE_APART"))
        plan.path = scratch("apart");
    struct filelock *lock = open_lock();
    for (unsigned i = (unsigned) index; !__atomic_load_n(&scene->stop, __ATOMIC_SEQ_CST); i++) {
        enum filelock_mode mode = can_share() && i % 3 ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE;
        scene->got[index] += visit(lock, (uint32_t) index, mode, timeouts[i % 4]);
        nap_us(20);
    }
    filelock_free(lock);
    _exit(0);
}

static pid_t contenders[CONTENDERS];

static void start_contenders(void)
{
    for (int i = 0; i < CONTENDERS; i++) {
        contenders[i] = fork();
        ck_assert_int_ge(contenders[i], 0);
        if (contenders[i] == 0)
            contend(i);
    }
}

static int64_t got_by(int index)
{
    return __atomic_load_n(&scene->got[index], __ATOMIC_SEQ_CST);
}

static void stop_contenders(void)
{
    for (int i = 0; i < CONTENDERS; i++)
        kill(contenders[i], SIGSTOP);
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(waitpid(contenders[i], NULL, WUNTRACED), contenders[i]);
    plan.stopped = 1;
}

static void continue_contenders(void)
{
    for (int i = 0; i < CONTENDERS && plan.stopped; i++)
        kill(contenders[i], SIGCONT);
    plan.stopped = 0;
}

/* Fails the test unless both contenders get the lock once more. */
static void expect_progress(const char *what)
{
    for (int i = 0; i < CONTENDERS; i++) {
        int64_t before = got_by(i), end = now_ns() + (int64_t) PATIENCE_MS * 1000000;
        while (got_by(i) == before) {
            ck_assert_msg(now_ns() < end, "%s: %s: a contender does not get the lock any more", plan.kind->name, what);
            sched_yield();
        }
    }
    int wrong = __atomic_load_n(&scene->wrong, __ATOMIC_SEQ_CST);
    ck_assert_msg(wrong == 0, "%s: %s: then %s", plan.kind->name, what, result_name(wrong));
}

static void end_contenders(void)
{
    __atomic_store_n(&scene->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < CONTENDERS; i++)
        ck_assert_int_eq(process_wait(&(struct process) { contenders[i], -1, -1 }, PATIENCE_MS), 0);
    struct judgement judgement = history_judge(&scene->history);
    ck_assert_msg(!judgement.wrong, "%s: %s: %u and %u", plan.kind->name, judgement.wrong, judgement.who,
                  judgement.other);
    ck_assert_msg(!history_full(&scene->history), "the history is full");
    printf("%s: %u deaths, %ld writers, %ld readers, %ld of them together\n", plan.kind->name, plan.victims,
           judgement.writers, judgement.readers, judgement.together);
}

/* ---- Victims ---------------------------------------------------------------------------------------- */

static void be_a_victim(void *arg)
{
    uint32_t who = *(const uint32_t *) arg;
    plan.tolerant = 1;
    struct filelock *lock = open_lock();
    subject_ready();
    visit(lock, who, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    visit(lock, who, can_share() ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, 60000);
    visit(lock, who, FILELOCK_EXCLUSIVE, 1);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, 60000) == 0)
        stay(who, FILELOCK_EXCLUSIVE, plan.yields);
    filelock_free(lock);
    subject_ready();
}

/* Waits as an event loop does.  Returns as filelock_acquire() does. */
static int acquire_in_loop(struct filelock *lock)
{
    int result = filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    if (result != -EINPROGRESS)
        return result;
    struct pollfd ready = { .fd = filelock_acquire_waitable(lock), .events = POLLIN };
    while (poll(&ready, 1, -1) <= 0)
        ;
    return filelock_acquire_finish(lock);
}

/* Aborts an attempt that may have been granted meanwhile, but is not finished. */
static void begin_and_abort(struct filelock *lock)
{
    if (filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) != -EINPROGRESS)
        filelock_release(lock);
    else if (filelock_acquire_abort(lock) != 0)
        _exit(71);
}

/* Leaves as a writer before others may read, and goes on as a reader. */
static void visit_and_convert(struct filelock *lock, uint32_t who)
{
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) != 0)
        return;
    stay(who, FILELOCK_EXCLUSIVE, plan.yields);
    if (filelock_convert(lock, FILELOCK_SHARED, FILELOCK_TRY) == 0)
        stay(who, FILELOCK_SHARED, plan.yields);
    filelock_release(lock);
}

/* Does what programs do that cannot block, or need two locks. */
static void be_an_artful_victim(void *arg)
{
    uint32_t who = *(const uint32_t *) arg;
    struct filelock *lock = open_lock(), *second = open_at(scratch("second/lock"));
    struct filelock *const both[] = { second, lock };
    subject_ready();
    if (acquire_in_loop(lock) == 0) {
        stay(who, FILELOCK_EXCLUSIVE, plan.yields);
        filelock_release(lock);
    }
    begin_and_abort(lock);
    if (filelock_acquire_several(both, 2, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) == 0) {
        stay(who, FILELOCK_EXCLUSIVE, plan.yields);
        filelock_release_several(both, 2);
    }
    if (can_share())
        visit_and_convert(lock, who);
    filelock_free(second);
    filelock_free(lock);
    subject_ready();
}

static void doom(void)
{
    history_add(&scene->history, CONTENDERS + plan.victims, EVENT_DOOMED);
}

/*
 * Starts a subject, and has the fault happen to it:
 * - 1: the subject was killed, or paused
 * - 0: it came to its end first
 * - -1: system calls cannot be traced
 */
static int happen(const struct fault *fault, void (*body)(void *), void *arg)
{
    struct subject subject;
    if (subject_start(&subject, body, arg) != 0)
        return -1;
    subject.doom = plan.at ? plan.at : doom;
    ck_assert_int_eq(subject_go(&subject, &no_fault, NULL), 1);
    int alive = subject_go(&subject, fault, NULL);
    snprintf(plan.what, sizeof plan.what, "%s", subject.what);
    subject_kill(&subject);
    plan.victims++;
    return !alive || (fault->choice == PAUSE && subject.hit >= 0);
}

static int kill_at(int call, void (*body)(void *), void *arg)
{
    return happen(&(struct fault) { call, KILL }, body, arg);
}

static void plan_for(const struct kind *kind, unsigned flags)
{
    scene = shared_memory(sizeof *scene);
    plan = (struct plan) { .kind = kind, .path = scratch("lock"), .flags = flags, .yields = 2 };
}

static const unsigned flags[] = { 0, FILELOCK_UNLINK | FILELOCK_RECORD_OWNER };

/*
 * Kills victims, each at a later call than the victim before it.  A victim makes more calls when it waits more, so their
 * number varies.  The end is where three victims in a row did not get that far.  Returns -1 where system calls cannot be
 * traced.
 */
static int kill_in_a_crowd(void (*body)(void *), int stride)
{
    int misses = 0, killed = 0;
    start_contenders();
    expect_progress("at the beginning");
    for (int call = 0; misses < 3 && killed >= 0; call = subject_next_call(call, stride)) {
        uint32_t who = CONTENDERS + plan.victims;
        killed = kill_at(call, body, &who);
        misses = killed ? 0 : misses + 1;
        expect_progress(plan.what);
    }
    end_contenders();
    ck_assert(killed < 0 || plan.victims > 12);
    return killed;
}

START_TEST(test_killed_in_a_crowd)
{
    NEEDS_TRACES();
    plan_for(kind_at(_i / COUNT(flags)), flags[_i % COUNT(flags)]);
    if (kill_in_a_crowd(be_a_victim, 1) < 0)
        SKIP("system calls cannot be traced here");
}
END_TEST

START_TEST(test_artful_killed_in_a_crowd)
{
    NEEDS_TRACES();
    plan_for(kind_at(_i), 0);
    ck_assert_int_eq(make_directory(scratch("second")), 0);
    if (kill_in_a_crowd(be_an_artful_victim, 3) < 0)
        SKIP("system calls cannot be traced here");
    struct filelock *second = open_at(scratch("second/lock"));
    EXPECT(filelock_acquire(second, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(second);
}
END_TEST

/* ---- Alone ------------------------------------------------------------------------------------------- */

static const struct {
    unsigned lacks;
    int stale; /* there is a dead owner's marker */
} situations[] = {
    { 0, 0 },
    { 0, 1 },
    { NO_UNNAMED, 0 },
    { NO_UNNAMED, 1 },
    { NO_SWAP, 1 },
    { NO_LOCKS, 1 },
    { NO_UNNAMED | NO_LINKS, 0 },
};

static void acquire_once(void *lacks)
{
    struct filelock *lock = open_lock();
    if (impoverish(*(const unsigned *) lacks) != 0)
        _exit(70);
    subject_ready();
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) == 0)
        filelock_release(lock);
    subject_ready();
}

/* Breaks the marker of a dead owner, or of a live owner that is to lose the lock. */
static void break_once(void *unused)
{
    struct filelock *lock = open_lock();
    (void) unused;
    subject_ready();
    filelock_break(lock);
    subject_ready();
}

/* Fails the test unless another process, on the same kind of system, gets the lock twice. */
static void expect_healed(unsigned lacks)
{
    pid_t pid = fork();
    if (pid == 0) {
        int result = impoverish(lacks);
        for (int i = 0; i < 2 && result == 0; i++)
            result = try_soft(plan.path, PATIENCE_MS);
        _exit(result ? 1 : 0);
    }
    int status = process_wait(&(struct process) { pid, -1, -1 }, 2 * PATIENCE_MS);
    ck_assert_msg(status == 0, "%s: not usable", plan.what);
    ck_assert_msg(!path_exists(plan.path), "%s: there is a marker", plan.what);
}

/*
 * Fails the test if a file is left behind.  Where names cannot be swapped, the next process that takes over from a dead
 * owner clears up.
 */
static void expect_nothing_left(unsigned lacks)
{
    if (lacks & NO_SWAP)
        put_marker(plan.path, marker_record(dead_pid()));
    expect_healed(lacks);
    const char *name = file_beside(plan.path);
    ck_assert_msg(!name, "%s: left behind for good: %s", plan.what, name);
}

/* Kills `deaths` processes at this call, in turn.  What they leave behind is not cleared up in between. */
static int kill_in_turn(int call, int deaths, unsigned *lacks)
{
    int killed = kill_at(call, acquire_once, lacks);
    for (int i = 1; i < deaths && killed > 0; i++)
        kill_at(call, acquire_once, lacks);
    return killed;
}

START_TEST(test_killed_alone)
{
    NEEDS_SOFT();
    NEEDS_TRACES();
    plan_for(soft_kind(), 0);
    unsigned lacks = situations[_i / 2].lacks;
    int killed = 1;
    for (int call = 0; killed > 0; call = subject_next_call(call, 1)) {
        if (situations[_i / 2].stale)
            put_marker(plan.path, marker_record(dead_pid()));
        killed = kill_in_turn(call, _i % 2 ? 3 : 1, &lacks);
        if (killed >= 0)
            expect_nothing_left(lacks);
    }
    if (killed < 0)
        SKIP("system calls cannot be traced here");
    ck_assert_uint_gt(plan.victims, 5);
}
END_TEST

START_TEST(test_breaker_killed)
{
    NEEDS_SOFT();
    NEEDS_TRACES();
    plan_for(soft_kind(), 0);
    int killed = 1;
    for (int call = 0; killed > 0; call = subject_next_call(call, 1)) {
        char text[MARKER_SIZE] = "", found[MARKER_SIZE] = "";
        snprintf(text, sizeof text, "%s", marker_record(_i ? own_pid() : dead_pid()));
        put_marker(plan.path, text);
        killed = kill_at(call, break_once, NULL);
        read_file(plan.path, found, sizeof found);
        EXPECT(try_soft(plan.path, FILELOCK_TRY), _i && !strcmp(found, text) ? -ETIMEDOUT : 0); /* not broken yet */
        if (_i)
            remove_file(plan.path);
        if (killed >= 0)
            expect_nothing_left(0);
    }
    if (killed < 0)
        SKIP("system calls cannot be traced here");
    ck_assert_uint_gt(plan.victims, 1);
}
END_TEST

/* ---- Breaking in a crowd ----------------------------------------------------------------------------- */

/*
 * What is broken, and how, while two processes contend for it.  Only the broken holder may ever be inside with another.
 */
enum breaking {
    STALE_FOR_GOOD, /* only filelock_break() removes the dead owner's marker */
    STALE,          /* if the breaker is killed, the contenders take over */
    STALE_SLOWLY,   /* the breaker goes on long after the contenders have taken over */
    LIVING,         /* the marker of a holder that goes on, and believes that it holds the lock */
    BREAKINGS
};

static void be_a_holder(uint32_t who)
{
    struct filelock *lock = open_lock();
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) != 0)
        _exit(71);
    history_add(&scene->history, who, EVENT_ENTERS_WRITING);
    history_add(&scene->history, who, EVENT_DOOMED); /* its lock is to be broken */
    __atomic_store_n(&scene->held, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&scene->let_go, __ATOMIC_SEQ_CST))
        nap_ms(1);
    _exit(filelock_release(lock) == 0 ? 0 : 72);
}

/* Starts a holder.  It has the lock when this returns. */
static pid_t start_holder(void)
{
    scene->held = scene->let_go = 0;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        be_a_holder(CONTENDERS + plan.victims);
    plan.victims++;
    EVENTUALLY(__atomic_load_n(&scene->held, __ATOMIC_SEQ_CST));
    return pid;
}

static void let_others_go_on(void)
{
    doom();
    continue_contenders();
}

/* Lets the contenders take over and go on, if the breaker is not in their way. */
static void let_others_pass(void)
{
    let_others_go_on();
    nap_ms(5);
}

/* Returns the pid in the marker; 0: there is none. */
static int64_t marker_pid(void)
{
    char text[MARKER_SIZE] = "";
    return read_file(plan.path, text, sizeof text) > 0 ? strtoll(text, NULL, 10) : 0;
}

/* Breaks what the dead breaker has not broken, or has put there itself: no other process takes it away. */
static void break_what_is_left(enum breaking breaking, pid_t holder)
{
    struct filelock *lock = open_lock();
    int64_t pid = marker_pid();
    if ((breaking == LIVING && pid == holder) || (breaking == STALE_FOR_GOOD && pid && !process_runs(pid)))
        EXPECT(filelock_break(lock), 0);
    filelock_free(lock);
}

/* Returns as happen() does, about the breaker. */
static int break_in_a_crowd(enum breaking breaking, const struct fault *fault)
{
    pid_t holder = start_holder();
    struct process process = { holder, -1, -1 };
    if (breaking == STALE || breaking == STALE_SLOWLY)
        stop_contenders();
    if (breaking != LIVING) {
        kill(holder, SIGKILL);
        process_wait(&process, PATIENCE_MS);
    }
    plan.at = breaking == STALE_SLOWLY ? let_others_pass : let_others_go_on;
    int result = happen(fault, break_once, NULL);
    continue_contenders();
    break_what_is_left(breaking, holder);
    __atomic_store_n(&scene->let_go, 1, __ATOMIC_SEQ_CST);
    if (breaking == LIVING)
        ck_assert_int_eq(process_wait(&process, PATIENCE_MS), 0);
    return result;
}

/* Pauses the breaker only after it has looked at the marker.  If paused before that, it would break another marker. */
START_TEST(test_breaker_killed_in_a_crowd)
{
    enum breaking breaking = (enum breaking) _i;
    NEEDS_SOFT();
    NEEDS_TRACES();
    plan_for(soft_kind(), breaking == STALE_FOR_GOOD ? FILELOCK_NEVER_BREAK : 0);
    plan.yields = 300; /* long enough to see what goes wrong for a process inside */
    start_contenders();
    expect_progress("at the beginning");
    int happened = 1, looked = 0;
    for (int call = 0; happened > 0; call = subject_next_call(call, 1)) {
        happened = break_in_a_crowd(breaking, &(struct fault) { call, looked ? PAUSE : KILL });
        looked |= breaking == STALE_SLOWLY && strstr(plan.what, "pread64");
        expect_progress(plan.what);
    }
    end_contenders();
    if (happened < 0)
        SKIP("system calls cannot be traced here");
    ck_assert_uint_gt(plan.victims, 12);
    ck_assert(looked || breaking != STALE_SLOWLY);
    expect_nothing_left(0);
}
END_TEST

/* ---- At random --------------------------------------------------------------------------------------- */

static long number_in(const char *variable, long otherwise)
{
    const char *text = getenv(variable);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

/* Stops a contender for a while, wherever it is. */
static void stop_one(uint32_t *random)
{
    pid_t pid = contenders[chance(random, CONTENDERS)];
    kill(pid, SIGSTOP);
    nap_ms((int) chance(random, 5));
    kill(pid, SIGCONT);
}

/* Returns -1 where system calls cannot be traced. */
static int torture_for_a_while(uint32_t *random, int64_t end)
{
    int result = 0;
    start_contenders();
    for (int i = 0; i < 200 && result >= 0 && now_ns() < end; i++) {
        uint32_t who = CONTENDERS + plan.victims;
        struct fault fault = { (int) chance(random, 100), chance(random, 2) ? KILL : (int) chance(random, 8) };
        if (!chance(random, 4))
            stop_one(random);
        result = happen(&fault, be_a_victim, &who);
        expect_progress(plan.what);
    }
    end_contenders();
    return result;
}

/* Runs for FILELOCK_TORTURE_SECONDS.  The random numbers begin with FILELOCK_TORTURE_SEED. */
START_TEST(test_torture)
{
    NEEDS_TRACES();
    uint32_t random = (uint32_t) number_in("FILELOCK_TORTURE_SEED", (long) (now_ns() % 1000000007)) | 1;
    int64_t end = now_ns() + number_in("FILELOCK_TORTURE_SECONDS", 1) * 1000000000;
    printf("%s: FILELOCK_TORTURE_SEED=%u\n", kind_at(_i / COUNT(flags))->name, random);
    fflush(stdout);
    do {
        plan_for(kind_at(_i / COUNT(flags)), flags[_i % COUNT(flags)]);
        if (torture_for_a_while(&random, end) < 0)
            SKIP("system calls cannot be traced here");
        munmap(scene, sizeof *scene);
    } while (now_ns() < end);
}
END_TEST

/* ---- The judge sees what is wrong ------------------------------------------------------------------ */

START_TEST(test_judge)
{
    static const struct {
        const char *events; /* each event: a participant, and W, R, L or D */
        const char *wrong;
    } rows[] = {
        { "", NULL },
        { "0W0L1W1L0R1R1L0L2W2L", NULL },
        { "0W1W", "two are inside who may not be" },
        { "0W1R", "two are inside who may not be" },
        { "0R1R2W", "two are inside who may not be" },
        { "0R1R1L0L2W2L", NULL },
        { "0R1R0L2W", "two are inside who may not be" },
        { "0W0D1W1L", NULL },
        { "0W1D1W", "two are inside who may not be" },
        { "0W0W", "it enters twice" },
        { "0L", "it leaves without having been inside" },
        { "0W0L0L", "it leaves without having been inside" },
    };
    struct history *history = shared_memory(sizeof *history);
    for (int i = 0; i < COUNT(rows); i++) {
        history->length = 0;
        for (const char *at = rows[i].events; *at; at += 2)
            history_add(history, (uint32_t) (at[0] - '0'),
                        at[1] == 'W'   ? EVENT_ENTERS_WRITING
                        : at[1] == 'R' ? EVENT_ENTERS_READING
                        : at[1] == 'L' ? EVENT_LEAVES
                                       : EVENT_DOOMED);
        const char *wrong = history_judge(history).wrong;
        ck_assert_msg(!wrong == !rows[i].wrong && (!wrong || !strcmp(wrong, rows[i].wrong)), "%s: %s", rows[i].events,
                      wrong ? wrong : "nothing wrong");
    }
}
END_TEST

/* The judge sees it when contenders have no lock in common. */
START_TEST(test_judge_sees_missing_lock)
{
    plan_for(kind_at(_i), 0);
    pid_t pids[2];
    for (uint32_t i = 0; i < 2; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            plan.path = i ? scratch("lock1") : scratch("lock0");
            struct filelock *lock = open_lock();
            int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
            history_add(&scene->history, i, EVENT_ENTERS_WRITING);
            __atomic_store_n(&scene->got[i], 1, __ATOMIC_SEQ_CST);
            while (result == 0 && !got_by(1 - (int) i))
                sched_yield(); /* until the other process is inside too */
            history_add(&scene->history, i, EVENT_LEAVES);
            filelock_free(lock);
            _exit(result == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(process_wait(&(struct process) { pids[i], -1, -1 }, PATIENCE_MS), 0);
    ck_assert_ptr_nonnull(history_judge(&scene->history).wrong);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("crash");
    TCase *tcase = add_case(suite, "judge");
    tcase_add_test(tcase, test_judge);
    ADD_FOR_KINDS(tcase, test_judge_sees_missing_lock);
    tcase = add_case(suite, "killed");
    tcase_add_loop_test(tcase, test_killed_in_a_crowd, 0, kinds_count() * COUNT(flags));
    ADD_FOR_KINDS(tcase, test_artful_killed_in_a_crowd);
    tcase_add_loop_test(tcase, test_killed_alone, 0, 2 * COUNT(situations));
    tcase_add_loop_test(tcase, test_breaker_killed, 0, 2);
    tcase_add_loop_test(tcase, test_breaker_killed_in_a_crowd, 0, BREAKINGS);
    tcase = add_case(suite, "torture");
    tcase_add_loop_test(tcase, test_torture, 0, kinds_count() * COUNT(flags));
    return suite;
}
