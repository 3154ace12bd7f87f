/* SPDX-License-Identifier: MIT
 *
 * test_soft_sharing.c - soft locks that several processes share by fork.  The marker names a process that holds the
 * lock, until the last holder has left.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"
#include "storm.h"
#include "syscalls_linux.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static struct peer *holding(unsigned flags)
{
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), FILELOCK_FORK_SHARE | flags);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    return peer;
}

static void expect_named(const struct peer *peer)
{
    expect_contents(scratch("lock"), marker_record(peer_pid(peer)));
    expect_nothing_beside(scratch("lock"));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
}

/* ---- One after the other ------------------------------------------------------------------------- */

/* A child that leaves names its brother, if the parent lives but no longer holds the lock; and the other way round. */
START_TEST(test_siblings)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *first = peer_fork(parent, NULL), *second = peer_fork(parent, NULL);
    expect_named(second);
    PEER_SAYS(parent, "0", "release a");
    expect_named(second);
    PEER_SAYS(second, "0", "release a");
    expect_named(first);
    PEER_SAYS(second, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(first, "0", "release a");
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    expect_named(parent);
}
END_TEST

/* The child that the marker named was killed.  The next process that leaves repairs that. */
START_TEST(test_named_one_killed)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *first = peer_fork(parent, NULL), *second = peer_fork(parent, NULL), *third = peer_fork(first, NULL);
    expect_named(third);
    peer_kill(third);
    EVENTUALLY(!process_runs(peer_pid(third)));
    PEER_SAYS(second, "0", "release a");
    expect_named(parent);
    PEER_SAYS(parent, "0", "release a");
    expect_named(first);
    PEER_SAYS(first, "0", "release a");
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* A program that was executed without the marker holds nothing, although its process lives. */
START_TEST(test_program)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0);
    struct peer *child = peer_fork(parent, NULL), *program = peer_fork(parent, NULL);
    PEER_SAYS(program, "again", "exec");
    PEER_SAYS(child, "0", "release a");
    expect_named(parent);
    PEER_SAYS(parent, "0", "release a");
    expect_nothing_at(scratch("lock"));
    PEER_SAYS(program, "pong", "ping");
}
END_TEST

/* A program that has inherited the marker holds the lock as long as it lives. */
START_TEST(test_program_that_keeps)
{
    NEEDS_SOFT();
    struct peer *parent = holding(FILELOCK_KEEP_ON_EXEC);
    struct peer *program = peer_fork(parent, NULL), *child = peer_fork(parent, NULL);
    PEER_SAYS(program, "again", "exec");
    PEER_SAYS(parent, "0", "release a");
    expect_named(child);
    PEER_SAYS(child, "0", "release a");
    expect_named(program);
    peer_kill(program);
    EXPECT(try_soft(scratch("lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* The directory was renamed.  The marker that the last holder leaves there is not taken for held. */
START_TEST(test_directory_renamed)
{
    NEEDS_SOFT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct peer *parent = peer_with(soft_kind(), scratch("folder/lock"), FILELOCK_FORK_SHARE);
    PEER_SAYS(parent, "0", "acquire a exclusive 0");
    struct peer *child = peer_fork(parent, NULL);
    ck_assert_int_eq(rename_over(scratch("folder"), scratch("moved")), 0);
    PEER_SAYS(child, "0", "release a");
    expect_contents(scratch("moved/lock"), marker_record(peer_pid(parent)));
    EXPECT(try_soft(scratch("moved/lock"), FILELOCK_TRY), -ETIMEDOUT);
    PEER_SAYS(parent, "0", "release a");
    EXPECT(try_soft(scratch("moved/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("moved/lock"));
}
END_TEST

/* ---- At once ------------------------------------------------------------------------------------- */

#define CHILDREN 3

struct scene {
    struct filelock *lock;
    int go[2], settled[2]; /* at the end of go processes leave; at the end of settled the remaining process looks */
    int stays;             /* an index; CHILDREN: the parent; -1: none */
};

static void await_end(int from)
{
    char byte;
    while (read(from, &byte, 1) > 0)
        ;
}

static int names_self(void)
{
    char text[MARKER_SIZE], number[24];
    snprintf(number, sizeof number, "%lld\n", (long long) own_pid());
    return read_file(scratch("lock"), text, sizeof text) > 0 && !strncmp(text, number, strlen(number));
}

/* What a child does.  Its exit status says what went wrong.  Calls nothing of Check. */
static void live(const struct scene *scene, int index)
{
    int status = 0;
    close(scene->go[1]);
    close(scene->settled[1]);
    await_end(scene->go[0]);
    if (index == scene->stays) {
        await_end(scene->settled[0]);
        status = !names_self() ? 1 : filelock_check(scene->lock) != 0 ? 2 : 0;
    }
    _exit(filelock_release(scene->lock) != 0 ? 3 : status);
}

static void expect_status(pid_t pid, int index)
{
    int status = process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS);
    ck_assert_msg(status == 0, "child %d ends with %d", index, status);
}

static void leave_at_once(struct scene *scene)
{
    pid_t pids[CHILDREN];
    ck_assert(pipe(scene->go) == 0 && pipe(scene->settled) == 0);
    EXPECT(filelock_acquire(scene->lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0)
            live(scene, i);
    }
    close(scene->go[0]);
    close(scene->settled[0]);
    close(scene->go[1]);
    if (scene->stays != CHILDREN)
        EXPECT(filelock_release(scene->lock), 0);
    for (int i = 0; i < CHILDREN; i++)
        if (i != scene->stays)
            expect_status(pids[i], i);
    if (scene->stays == CHILDREN) {
        ck_assert_msg(names_self(), "the marker does not name the parent, which holds the lock");
        EXPECT(filelock_release(scene->lock), 0);
    }
    close(scene->settled[1]);
    if (scene->stays >= 0 && scene->stays < CHILDREN)
        expect_status(pids[scene->stays], scene->stays);
    expect_nothing_at(scratch("lock"));
}

static void leave_in_turns(int rounds)
{
    struct scene scene = { .lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE) };
    for (int round = 0; round < rounds; round++) {
        scene.stays = round % (CHILDREN + 2) - 1;
        leave_at_once(&scene);
    }
    filelock_free(scene.lock);
}

START_TEST(test_all_but_one_leave)
{
    NEEDS_SOFT();
    leave_in_turns(scaled(200, 10));
}
END_TEST

/* Forks a child that shares the lock until `end` is closed. */
static pid_t fork_sharer(struct filelock *lock, int *end)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(ends[1]);
        await_end(ends[0]);
        _exit(filelock_release(lock) != 0);
    }
    close(ends[0]);
    *end = ends[1];
    return pid;
}

/* Tries to lock until the pipe is at its end.  Exits with 1 if it finds anything but a lock that is held, or free. */
static _Noreturn void contend(const int ends[2])
{
    char none;
    close(ends[1]);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
        _exit(2);
    while (read(ends[0], &none, 1) != 0) {
        int result = try_soft(scratch("lock"), FILELOCK_TRY);
        if (result != 0 && result != -ETIMEDOUT)
            _exit(1);
    }
    _exit(0);
}

/* Makes the record longer than the next record will be: zeros before a number do not count. */
static void lengthen_record(void)
{
    char text[1024], longer[2048];
    long size = read_file(scratch("lock"), text, sizeof text - 1);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    char *token = strchr(strchr(text, '\n') + 1, '\n') + 1;
    if (*token == '\0')
        return; /* this system's records have no token */
    int length = snprintf(longer, sizeof longer, "%.*s0000%s", (int) (token - text), text, token);
    ck_assert_int_eq(write_file(scratch("lock"), longer, (size_t) length), 0);
}

/* A contender that looks while a shorter record is written over a longer record sees a marker all the time. */
START_TEST(test_shorter_record)
{
    NEEDS_SOFT();
    int ends[2], end;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t contender = fork();
    ck_assert_int_ge(contender, 0);
    if (contender == 0)
        contend(ends);
    close(ends[0]);
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    for (int round = 0; round < scaled(100, 10); round++) {
        lengthen_record();
        pid_t child = fork_sharer(lock, &end);
        close(end);
        expect_status(child, 0);
    }
    close(ends[1]);
    expect_status(contender, 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
}
END_TEST

/* If the last holder may not remove the marker any more, it disowns it. */
START_TEST(test_unremovable)
{
    NEEDS_SOFT();
    AS_ORDINARY_USER();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct filelock *lock = new_soft(scratch("folder/lock"), FILELOCK_FORK_SHARE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int end;
    pid_t child = fork_sharer(lock, &end);
    ck_assert_int_eq(chmod(scratch("folder"), 0555), 0);
    close(end);
    expect_status(child, 0);
    expect_contents(scratch("folder/lock"), marker_record(own_pid()));
    EXPECT(filelock_release(lock), 0);
    expect_contents(scratch("folder/lock"), marker_disowned());
    ck_assert_int_eq(chmod(scratch("folder"), 0755), 0);
    filelock_free(lock);
    EXPECT(try_soft(scratch("folder/lock"), PATIENCE_MS), 0);
    expect_nothing_at(scratch("folder/lock"));
}
END_TEST

/* A holder that may not open the marker, but may remove it, does so. */
START_TEST(test_unopenable)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    int go[2], told[2];
    pid_t daemon = 0;
    options.kind = FILELOCK_KIND_SOFT;
    options.flags = FILELOCK_FORK_SHARE;
    options.file_mode = 0600;
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    ck_assert_int_eq(chown(scratch("folder"), NOBODY, NOBODY), 0);
    open_scratch();
    ck_assert(pipe(go) == 0 && pipe(told) == 0);
    EXPECT(filelock_new(&lock, scratch("folder/lock"), &options), 0);
    pid_t parent = fork();
    if (parent == 0) {
        close(go[1]);
        if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0 || (daemon = fork()) < 0)
            _exit(1);
        if (daemon == 0) {
            await_end(go[0]);
            become_nobody();
            _exit(filelock_release(lock) != 0);
        }
        _exit(write(told[1], &daemon, sizeof daemon) != sizeof daemon);
    }
    expect_status(parent, 0);
    ck_assert_int_eq(read(told[0], &daemon, sizeof daemon), sizeof daemon);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    close(go[1]);
    EVENTUALLY(!process_runs(daemon));
    expect_nothing_at(scratch("folder/lock"));
    filelock_free(lock);
    close(go[0]);
    close(told[0]);
    close(told[1]);
}
END_TEST

/* A holder that could do nothing about the marker, if it were the last, does not leave without an error. */
START_TEST(test_no_rights)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct filelock *lock = new_soft(scratch("folder/lock"), FILELOCK_FORK_SHARE);
    open_scratch();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        become_nobody();
        _exit(filelock_release(lock) == -EACCES && filelock_held(lock) ? 0 : 1);
    }
    expect_status(child, 0);
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("folder/lock"));
    filelock_free(lock);
}
END_TEST

/* A marker that cannot be read as a record is written anew. */
START_TEST(test_torn_record)
{
    NEEDS_SOFT();
    struct peer *parent = holding(0), *child = peer_fork(parent, NULL);
    put_marker(scratch("lock"), "12");
    PEER_SAYS(child, "0", "release a");
    expect_named(parent);
}
END_TEST

/* ---- While another process looks ------------------------------------------------------------------ */

/* Called before the library's next flock(2), once. */
static void (*before_flock)(void);

int flock(int fd, int operation)
{
    void (*call)(void) = before_flock;
    before_flock = NULL;
    if (call)
        call();
    return (int) syscall(SYS_flock, fd, operation);
}

/* A process that has the marker locked through an open file of its own, as a breaker has for a moment. */
static struct {
    int order[2], done[2];
    pid_t pid;
} looker;

static void have_it_locked(void)
{
    char byte = 'x';
    ck_assert(write(looker.order[1], &byte, 1) == 1 && read(looker.done[0], &byte, 1) == 1);
}

/* Starts that process.  Called before the lock is acquired, or the process would share it. */
static void start_looker(void)
{
    char byte;
    int fd;
    ck_assert(pipe(looker.order) == 0 && pipe(looker.done) == 0);
    looker.pid = fork();
    ck_assert_int_ge(looker.pid, 0);
    close(looker.pid ? looker.order[0] : looker.order[1]);
    close(looker.pid ? looker.done[1] : looker.done[0]);
    if (looker.pid)
        return;
    if (read(looker.order[0], &byte, 1) != 1 || (fd = open(scratch("lock"), O_RDONLY)) < 0 ||
        syscall(SYS_flock, fd, LOCK_EX) != 0 || write(looker.done[1], "x", 1) != 1)
        _exit(1);
    await_end(looker.order[0]);
    _exit(0);
}

/* Called instead of the next nap of this process, once. */
static void (*instead_of_nap)(void);

int nanosleep(const struct timespec *nap, struct timespec *left)
{
    void (*call)(void) = instead_of_nap;
    instead_of_nap = NULL;
    if (!call)
        return clock_nanosleep(CLOCK_MONOTONIC, 0, nap, left) == 0 ? 0 : -1;
    call();
    return 0;
}

/* A program that another thread starts.  It has a copy of the open file until it begins. */
static struct {
    pthread_t thread;
    pid_t pid;
    int fifo;
} spawned;

static void *spawn(void *arg)
{
    static char *const argv[] = { "sh", "-c", "read nothing", NULL };
    extern char **environ;
    posix_spawn_file_actions_t actions;
    (void) arg;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, scratch("fifo"), O_RDONLY, 0);
    if (posix_spawn(&spawned.pid, "/bin/sh", &actions, NULL, argv, environ) != 0)
        abort();
    posix_spawn_file_actions_destroy(&actions);
    return NULL;
}

static void let_it_begin(void)
{
    char command[32] = "";
    spawned.fifo = open(scratch("fifo"), O_WRONLY);
    pthread_join(spawned.thread, NULL);
    while (strcmp(command, "sh") != 0) /* under an emulator posix_spawn() does not wait for that */
        command_of(spawned.pid, command, sizeof command);
}

static void find_child(const char *name, void *arg)
{
    char path[64], text[1024], state;
    int parent;
    snprintf(path, sizeof path, "/proc/%.20s/stat", name);
    if (atoi(name) > 0 && read_file(path, text, sizeof text) > 0 &&
        sscanf(strrchr(text, ')') + 1, " %c %d", &state, &parent) == 2 && parent == (int) own_pid())
        *(int *) arg = 1;
}

static int has_child(void)
{
    int found = 0;
    each_entry("/proc", find_child, &found);
    return found;
}

/* A program that is just being started has the open file, but does not hold the lock. */
START_TEST(test_program_is_no_heir)
{
    NEEDS_SOFT();
    int end;
    if (under_valgrind())
        SKIP("valgrind starts programs in another way");
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t child = fork_sharer(lock, &end);
    close(end);
    expect_status(child, 0);
    ck_assert(names_self());
    ck_assert_int_eq(mkfifo(scratch("fifo"), 0600), 0);
    ck_assert_int_eq(pthread_create(&spawned.thread, NULL, spawn, NULL), 0);
    EVENTUALLY(has_child());
    instead_of_nap = let_it_begin;
    EXPECT(filelock_release(lock), 0);
    ck_assert(!instead_of_nap);
    expect_nothing_at(scratch("lock"));
    close(spawned.fifo);
    ck_assert_int_eq(waitpid(spawned.pid, NULL, 0), spawned.pid);
    filelock_free(lock);
}
END_TEST

/*
 * A process that has the marker locked for a moment, when the last holder leaves, does not hold the lock, and is not
 * named.
 */
START_TEST(test_looker_is_no_heir)
{
    NEEDS_SOFT();
    int end;
    struct filelock *plain = new_soft(scratch("lock"), 0), *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    start_looker();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t child = fork_sharer(lock, &end);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    char named[MARKER_SIZE];
    ck_assert_int_gt(read_file(scratch("lock"), named, sizeof named), 0);
    ck_assert_int_eq(atoll(named), child);
    before_flock = have_it_locked;
    EXPECT(filelock_release(lock), 0);
    ck_assert(!before_flock);
    expect_contents(scratch("lock"), named);
    close(looker.order[1]);
    close(looker.done[0]);
    expect_status(looker.pid, 0);
    EXPECT(filelock_acquire(plain, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(plain);
    filelock_free(lock);
    close(end);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- A storm of families --------------------------------------------------------------------------- */

#define FIGHTERS 4
#define MEMBERS 64 /* bounds the holders at any time, including children that have lost their parent */

/*
 * In shared memory each process has a cell.  That has its pid, times TICKETS, plus the ticket of the family by which
 * the process holds the lock.  While it does not hold the lock, the ticket is 0.
 */
#define TICKETS 1000000
static struct storm_scene {
    int64_t members[MEMBERS];
    int64_t tickets, overlaps, errors;
    int stop, error;
} * storm;

static int64_t load(const int64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_SEQ_CST);
}

static void store(int64_t *to, int64_t value)
{
    __atomic_store_n(to, value, __ATOMIC_SEQ_CST);
}

/* Takes a cell.  A dead process's cell is free, and no longer counts as holding. */
static int64_t *join(int64_t ticket)
{
    for (int64_t *member = storm->members; member < storm->members + MEMBERS; member++) {
        int64_t was = load(member);
        int64_t self = own_pid() * TICKETS + ticket;
        if ((was == 0 || !process_runs(was / TICKETS)) &&
            __atomic_compare_exchange_n(member, &was, self, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return member;
    }
    _exit(71);
}

/*
 * True if the member holds the lock for another family.  A process that was killed gives up its files a moment before
 * it is seen to be dead.
 */
static int is_overlap(const int64_t *member, int64_t ticket)
{
    int64_t was = load(member), end = now_ns() + (int64_t) LATENESS_MS * 1000000;
    if (was % TICKETS == 0 || was % TICKETS == ticket)
        return 0;
    while (process_runs(was / TICKETS)) {
        int64_t is = load(member);
        if (is != was || now_ns() > end)
            return is / TICKETS == was / TICKETS || is == 0; /* else the cell was found free, and taken */
        nap_us(100);
    }
    return 0;
}

static void enter(int64_t *self, int64_t ticket)
{
    store(self, own_pid() * TICKETS + ticket);
    for (const int64_t *member = storm->members; member < storm->members + MEMBERS; member++)
        if (member != self && is_overlap(member, ticket))
            __atomic_fetch_add(&storm->overlaps, 1, __ATOMIC_SEQ_CST);
}

static void give_up(struct filelock *lock, int64_t *self)
{
    store(self, own_pid() * TICKETS);
    int result = filelock_release(lock);
    if (result == 0)
        return;
    storm->error = result;
    __atomic_fetch_add(&storm->errors, 1, __ATOMIC_SEQ_CST);
}

/*
 * A child that shares the lock.  It releases, ends without releasing, or is killed, and it may have a child of its own.
 */
static void be_child(struct filelock *lock, int64_t ticket)
{
    int64_t *self;
    uint32_t random;
    int generation = 0;
    do {
        self = join(ticket);
        random = (uint32_t) own_pid() * 2654435761u | 1;
    } while (++generation < 3 && !chance(&random, 3) && fork() == 0);
    nap_us(chance(&random, 400));
    switch (chance(&random, 6)) {
    case 0:
        kill(getpid(), SIGKILL);
        break;
    case 1:
        _exit(0);
    }
    give_up(lock, self);
    nap_us(chance(&random, 200)); /* the process lives on, and holds nothing */
    store(self, 0);
    _exit(0);
}

static void fight(void)
{
    int64_t *self = join(0);
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    uint32_t random = (uint32_t) now_ns() ^ (uint32_t) own_pid() * 2654435761u;
    options.kind = FILELOCK_KIND_SOFT;
    options.flags = FILELOCK_FORK_SHARE;
    random |= 1;
    if (filelock_new(&lock, scratch("lock"), &options) != 0)
        _exit(70);
    while (!__atomic_load_n(&storm->stop, __ATOMIC_SEQ_CST)) {
        if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, chance(&random, 2) ? 100 : FILELOCK_FOREVER) != 0)
            continue;
        int64_t ticket = __atomic_add_fetch(&storm->tickets, 1, __ATOMIC_SEQ_CST);
        enter(self, ticket);
        for (uint32_t children = chance(&random, 3); children > 0; children--)
            if (fork() == 0)
                be_child(lock, ticket);
        nap_us(chance(&random, 300));
        give_up(lock, self);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    filelock_free(lock);
    _exit(0);
}

static pid_t start_fighter(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        fight();
    return pid;
}

static void end_fighter(pid_t pid)
{
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void expect_order(const pid_t *fighters)
{
    if (load(&storm->overlaps) || load(&storm->errors))
        for (int i = 0; i < FIGHTERS; i++)
            kill(fighters[i], SIGKILL);
    ck_assert_msg(load(&storm->overlaps) == 0, "two families held it at once, %d times in %d",
                  (int) load(&storm->overlaps), (int) load(&storm->tickets));
    ck_assert_msg(load(&storm->errors) == 0, "a release fails: %s", result_name(storm->error));
}

/*
 * Families of holders, in which any process may be killed at any time.  Two families never hold the lock at once, and
 * the lock never gets stuck.
 */
START_TEST(test_storm_of_families)
{
    NEEDS_SOFT();
    NEEDS_FORK_BESIDE_THREADS();
    pid_t fighters[FIGHTERS];
    uint32_t random = (uint32_t) now_ns() | 1;
    int64_t acquired = 0, since = now_ns(), wanted = scaled(500, 40);
    storm = shared_memory(sizeof *storm);
    for (int i = 0; i < FIGHTERS; i++)
        fighters[i] = start_fighter();
    while (load(&storm->tickets) < wanted) {
        int one = (int) chance(&random, FIGHTERS);
        nap_us(chance(&random, 20000));
        if (load(&storm->tickets) > acquired) {
            acquired = load(&storm->tickets);
            since = now_ns();
            end_fighter(fighters[one]);
            fighters[one] = start_fighter();
        }
        expect_order(fighters);
        ck_assert_msg(now_ns() - since < (int64_t) PATIENCE_MS * 1000000, "no process got it for %d s, after %d times",
                      PATIENCE_MS / 1000, (int) acquired);
    }
    __atomic_store_n(&storm->stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < FIGHTERS; i++)
        expect_status(fighters[i], i);
    expect_order(fighters);
    expect_usable(scratch("lock"));
}
END_TEST

/* ---- Where the system has less to offer -------------------------------------------------------- */

/* Without flock(2), the last holder knows that it is the last by which processes have the marker open. */
START_TEST(test_without_locks)
{
    ON_SYSTEM(NO_LOCKS);
    for (int first = 0; first < 2; first++) {
        struct peer *parent = holding(0), *child = peer_fork(parent, NULL);
        struct peer *leaves = first ? child : parent, *stays = first ? parent : child;
        PEER_SAYS(leaves, "0", "release a");
        expect_named(stays);
        PEER_SAYS(stays, "0", "check a");
        PEER_SAYS(stays, "0", "release a");
        expect_nothing_at(scratch("lock"));
        PEER_SAYS(leaves, "pong", "ping");
        peer_end(parent);
    }
}
END_TEST

START_TEST(test_without_locks_at_once)
{
    ON_SYSTEM(NO_LOCKS);
    leave_in_turns(scaled(50, 10));
}
END_TEST

/*
 * Without a descriptor it cannot be seen whether other processes hold the lock.  A release says so, and can be
 * repeated.  If the handle is freed instead, the others keep their lock.
 */
START_TEST(test_no_descriptors)
{
    NEEDS_SOFT();
    struct rlimit limit, none;
    int end;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    for (int frees = 0; frees < 2; frees++) {
        struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        uint64_t identity = file_identity(scratch("lock"));
        pid_t child = fork_sharer(lock, &end);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        int result = filelock_release(lock);
        int held = filelock_held(lock), fd = filelock_fd(lock);
        if (frees)
            filelock_free(lock);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        EXPECT(result, -EMFILE);
        ck_assert(held && fd >= 0);
        if (!frees) {
            EXPECT(filelock_check(lock), 0);
            EXPECT(filelock_release(lock), 0);
            expect_contents(scratch("lock"), marker_record(child));
            filelock_free(lock);
        }
        ck_assert_int_eq(descriptors_on(scratch("lock")), 0);
        ck_assert_msg(file_identity(scratch("lock")) == identity, "the child's marker is gone");
        EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
        EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
        close(end);
        expect_status(child, 0);
        expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/*
 * A child that has given up its privileges does not see what its parent has open, and assumes that the parent holds the
 * lock.
 */
START_TEST(test_unseen_parent)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    open_scratch();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        become_nobody();
        _exit(filelock_release(lock) != 0);
    }
    expect_status(pid, 0);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* A parent is also trusted where a process does not see others in /proc at all. */
START_TEST(test_hidden_parent)
{
    NEEDS_SOFT();
    NEEDS_ROOT();
    if (under_valgrind() || unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("proc", "/proc", "proc", 0, "hidepid=2") != 0)
        SKIP("system calls cannot be denied here");
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    open_scratch();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        become_nobody();
        _exit(filelock_release(lock) != 0);
    }
    expect_status(pid, 0);
    ck_assert(names_self());
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* Has a child that shares the lock, in another pid namespace, release it.  Returns 77 if there can be no namespace. */
static int release_from_another_namespace(struct filelock *lock)
{
    char text[MARKER_SIZE];
    if (unshare(CLONE_NEWPID) != 0)
        return 77;
    pid_t pid = fork();
    if (pid == 0)
        _exit(filelock_release(lock) != 0);
    if (pid < 0 || process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS) != 0)
        return 1;
    return read_file(scratch("lock"), text, sizeof text) > 0 ? filelock_release(lock) != 0 : 2;
}

/* From there no other process is seen, so the marker is left as it is for its holder. */
START_TEST(test_from_another_pid_namespace)
{
    NEEDS_SOFT();
    if (under_valgrind())
        SKIP("system calls cannot be denied here");
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(release_from_another_namespace(lock));
    int status = process_wait(&(struct process) { pid, -1, -1 }, PATIENCE_MS);
    if (status == 77) {
        filelock_free(lock);
        SKIP("system calls cannot be denied here");
    }
    ck_assert_int_eq(status, 0);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    EXPECT(try_soft(scratch("lock"), 20), -ETIMEDOUT);
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* ---- Threads --------------------------------------------------------------------------------------- */

static struct {
    int told[2], go[2], stay[2]; /* pipes */
    int has_forked;
} daemon_of_threads;

static void *hold_and_fork(void *arg)
{
    struct filelock *lock = arg;
    pid_t child = 0;
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) != 0 || (child = fork()) < 0)
        _exit(1);
    if (child == 0) {
        await_end(daemon_of_threads.go[0]);
        _exit(filelock_release(lock) != 0);
    }
    __atomic_store_n(&daemon_of_threads.has_forked, 1, __ATOMIC_SEQ_CST);
    if (write(daemon_of_threads.told[1], &child, sizeof child) != sizeof child)
        _exit(1);
    await_end(daemon_of_threads.stay[0]);
    _exit(filelock_release(lock) != 0);
}

/* A process whose first thread has ended holds the lock through another thread. */
START_TEST(test_first_thread_has_ended)
{
    NEEDS_SOFT();
    char path[64], text[1024], number[24];
    pid_t child = 0;
    if (under_valgrind())
        SKIP("system calls cannot be denied here");
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_FORK_SHARE);
    ck_assert(pipe(daemon_of_threads.told) == 0 && pipe(daemon_of_threads.go) == 0);
    ck_assert_int_eq(pipe(daemon_of_threads.stay), 0);
    pid_t parent = fork();
    ck_assert_int_ge(parent, 0);
    if (parent == 0) {
        pthread_t thread;
        close(daemon_of_threads.go[1]);
        close(daemon_of_threads.stay[1]);
        if (pthread_create(&thread, NULL, hold_and_fork, lock) != 0)
            _exit(1);
        /* Under musl 1.2.3, the first thread of a forked process ends with a lock taken that fork(2) needs. */
        while (!__atomic_load_n(&daemon_of_threads.has_forked, __ATOMIC_SEQ_CST))
            nap_us(100);
        pthread_exit(NULL);
    }
    ck_assert_int_eq(read(daemon_of_threads.told[0], &child, sizeof child), sizeof child);
    snprintf(path, sizeof path, "/proc/%d/stat", (int) parent);
    EVENTUALLY(read_file(path, text, sizeof text) > 0 && strrchr(text, ')')[2] == 'Z');
    close(daemon_of_threads.go[1]);
    EVENTUALLY(!process_runs(child));
    snprintf(number, sizeof number, "%d\n", (int) parent);
    ck_assert(read_file(scratch("lock"), text, sizeof text) > 0 && !strncmp(text, number, strlen(number)));
    EXPECT(try_soft(scratch("lock"), FILELOCK_TRY), -ETIMEDOUT);
    close(daemon_of_threads.stay[1]);
    expect_status(parent, 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
    close(daemon_of_threads.told[0]);
    close(daemon_of_threads.told[1]);
    close(daemon_of_threads.go[0]);
    close(daemon_of_threads.stay[0]);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, shared by fork");
    TCase *tcase = add_case(suite, "one after the other");
    tcase_add_test(tcase, test_siblings);
    tcase_add_test(tcase, test_named_one_killed);
    tcase_add_test(tcase, test_program);
    tcase_add_test(tcase, test_program_that_keeps);
    tcase_add_test(tcase, test_directory_renamed);
    tcase = add_case(suite, "at once");
    tcase_add_test(tcase, test_all_but_one_leave);
    tcase_add_test(tcase, test_unremovable);
    tcase_add_test(tcase, test_unopenable);
    tcase_add_test(tcase, test_no_rights);
    tcase_add_test(tcase, test_torn_record);
    tcase = add_case(suite, "while somebody looks");
    tcase_add_test(tcase, test_looker_is_no_heir);
    tcase_add_test(tcase, test_shorter_record);
    tcase_add_test(tcase, test_program_is_no_heir);
    tcase = add_case(suite, "storm");
    tcase_add_test(tcase, test_storm_of_families);
    tcase = add_case(suite, "where less is to be had");
    tcase_add_test(tcase, test_without_locks);
    tcase_add_test(tcase, test_without_locks_at_once);
    tcase_add_test(tcase, test_no_descriptors);
    tcase_add_test(tcase, test_unseen_parent);
    tcase_add_test(tcase, test_hidden_parent);
    tcase_add_test(tcase, test_from_another_pid_namespace);
    tcase = add_case(suite, "threads");
    tcase_add_test(tcase, test_first_thread_has_ended);
    return suite;
}
