/* SPDX-License-Identifier: MIT
 *
 * test_lost.c - descriptors of a handle that the program has closed, and other files that it has opened by the same
 * numbers.
 */
#define _GNU_SOURCE
#include "markers.h"
#include "posix.h"

#include <stdio.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DATA "precious data\n"

/* Closes a descriptor, and opens a file of the program by its number.  The program has this file locked. */
static void plant(int fd)
{
    int data = open(scratch("data"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ck_assert_int_ge(data, 0);
    ck_assert_int_eq(write(data, DATA, strlen(DATA)), (ssize_t) strlen(DATA));
    if (data != fd) {
        ck_assert_int_eq(dup2(data, fd), fd);
        close(data);
    }
    ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
}

/* Fails the test if anything was done to that file. */
static void expect_untouched(int fd)
{
    struct stat open_file, file;
    ck_assert_msg(fd_is_open(fd), "the program's descriptor was closed");
    ck_assert_int_eq(fstat(fd, &open_file), 0);
    ck_assert_int_eq(stat(scratch("data"), &file), 0);
    ck_assert(open_file.st_ino == file.st_ino);
    ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
    expect_contents(scratch("data"), DATA);
    int other = open(scratch("data"), O_RDWR | O_CLOEXEC);
    ck_assert_msg(flock(other, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK, "the program's lock was released");
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    ck_assert_int_eq(fcntl(other, F_SETLK, &range), 0); /* and there is no other lock */
    close(other);
}

static int held_fd(struct filelock *lock)
{
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return filelock_fd(lock);
}

START_TEST(test_lost_at_rest)
{
    static const unsigned flags[] = { 0, FILELOCK_RECORD_OWNER | FILELOCK_KEEP_ON_EXEC };
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), flags[i]);
        int fd = held_fd(lock);
        EXPECT(filelock_release(lock), 0);
        plant(fd);
        for (int round = 0; round < 2; round++) {
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, round ? PATIENCE_MS : FILELOCK_TRY), 0);
            ck_assert_int_ne(filelock_fd(lock), fd);
            EXPECT(filelock_check(lock), 0);
            expect_taken(kind, scratch("lock"));
            EXPECT(filelock_release(lock), 0);
        }
        expect_untouched(fd);
        filelock_free(lock);
        expect_untouched(fd);
        close(fd);
    }
}
END_TEST

START_TEST(test_lost_and_freed)
{
    const struct kind *kind = kind_at(_i);
    for (int held = 0; held < 2; held++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
        int fd = held_fd(lock);
        if (!held)
            EXPECT(filelock_release(lock), 0);
        plant(fd);
        filelock_free(lock);
        expect_untouched(fd);
        expect_free(kind, scratch("lock"));
        close(fd);
    }
}
END_TEST

START_TEST(test_lost_while_held)
{
    static const unsigned flags[] = { 0, FILELOCK_RECORD_OWNER | FILELOCK_KEEP_ON_EXEC, FILELOCK_UNLINK };
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), flags[i]);
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        int fd = held_fd(lock);
        close(fd);
        EXPECT(filelock_check(lock), -EBADF);
        ck_assert_int_eq(filelock_fd(lock), -1);
        plant(fd);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        EXPECT(filelock_check(lock), -ESTALE);
        ck_assert_int_eq(filelock_fd(lock), -1);
        EXPECT(filelock_release(lock), -ESTALE); /* and the lock is given up */
        ck_assert_int_eq(filelock_held(lock), 0);
        expect_untouched(fd);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
        PEER_SAYS(peer, "0", "check a");
        PEER_SAYS(peer, "0", "release a");
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_check(lock), 0);
        EXPECT(filelock_release(lock), 0);
        filelock_free(lock);
        expect_untouched(fd);
        close(fd);
    }
}
END_TEST

/* The marker's time tells nothing if somebody else has changed it. */
START_TEST(test_lost_marker_touched)
{
    const struct kind *kind = kind_at(_i);
    if (kind->kind != FILELOCK_KIND_SOFT)
        return;
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int fd = held_fd(lock);
    plant(fd);
    ck_assert_int_eq(utimensat(AT_FDCWD, scratch("lock"), (const struct timespec[]) { { 1, 0 }, { 1, 0 } }, 0), 0);
    EXPECT(filelock_check(lock), 0);
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
    expect_untouched(fd);
    close(fd);
}
END_TEST

/*
 * Removes a file, and makes others by its name until one has the same number.  Returns 0, or -1 where numbers are not
 * used again.
 */
static int replace_by_same_number(const char *path, const char *text)
{
    struct stat old, made;
    char aside[4096];
    ck_assert_int_eq(stat(path, &old), 0);
    ck_assert_int_eq(remove_file(path), 0);
    for (int i = 0; i < 1000; i++) {
        put_marker(path, text);
        ck_assert_int_eq(stat(path, &made), 0);
        if (made.st_ino == old.st_ino)
            return 0;
        snprintf(aside, sizeof aside, "%s.%d", path, i);
        ck_assert_int_eq(rename(path, aside), 0);
    }
    return -1;
}

/* True if the file system, and this C library, tell when a file was made. */
static int tells_birth(const char *path)
{
#ifdef STATX_BTIME
    struct statx found;
    return statx(AT_FDCWD, path, 0, STATX_BTIME, &found) == 0 && (found.stx_mask & STATX_BTIME) != 0;
#else
    (void) path;
    return 0;
#endif
}

/*
 * The descriptor is lost, and another holder's marker has the number of the marker that there was.  That holder is another
 * process, or another handle of this one.
 */
START_TEST(test_lost_marker_and_its_number)
{
    const struct kind *kind = kind_at(_i);
    if (kind->kind != FILELOCK_KIND_SOFT)
        return;
    for (int own = 0; own < 2; own++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        int fd = held_fd(lock);
        if (own && !tells_birth(scratch("lock"))) {
            say_skipped(__func__, "nothing tells when a file was made");
            filelock_free(lock);
            break;
        }
        char record[MARKER_SIZE];
        snprintf(record, sizeof record, "%s", marker_record(own ? getpid() : getppid()));
        nap_ms(20); /* the file system's clock goes on */
        plant(fd);
        if (replace_by_same_number(scratch("lock"), record) != 0) {
            filelock_free(lock);
            close(fd);
            SKIP("this file system does not use the number of a file again at once");
        }
        EXPECT(filelock_check(lock), -ESTALE);
        EXPECT(filelock_release(lock), 0);
        expect_contents(scratch("lock"), record);
        filelock_free(lock);
        expect_contents(scratch("lock"), record);
        expect_untouched(fd);
        close(fd);
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
    }
}
END_TEST

/* The marker is the lock, even without its descriptor. */
START_TEST(test_lost_marker)
{
    const struct kind *kind = kind_at(_i);
    if (kind->kind != FILELOCK_KIND_SOFT)
        return;
    for (int removed = 0; removed < 2; removed++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        int fd = held_fd(lock);
        plant(fd);
        EXPECT(filelock_check(lock), 0);
        ck_assert_int_eq(filelock_fd(lock), -1);
        expect_taken(kind, scratch("lock"));
        if (removed)
            ck_assert_int_eq(remove_file(scratch("lock")), 0);
        EXPECT(filelock_release(lock), 0);
        expect_untouched(fd);
        expect_free(kind, scratch("lock"));
        filelock_free(lock);
        expect_untouched(fd);
        close(fd);
    }
}
END_TEST

/* A waiter's descriptor is lost.  It does not have what it waited for, so it locks the file anew. */
START_TEST(test_lost_while_waiting)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int limited = 0; limited < 2; limited++) {
        struct caller caller;
        struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_ANY_THREAD);
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        int fd = held_fd(lock);
        EXPECT(filelock_release(lock), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        caller_start(&caller);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, limited ? PATIENCE_MS : FILELOCK_FOREVER);
        wait_for_queued(kind, scratch("lock"), &caller);
        plant(fd);
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        ck_assert_int_ne(filelock_fd(lock), fd);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        EXPECT(filelock_release(lock), 0);
        expect_untouched(fd);
        caller_end(&caller);
        filelock_free(lock);
        close(fd);
    }
}
END_TEST

enum { NUMBERS = 256 };

static void note_open(int open_now[NUMBERS])
{
    for (int fd = 0; fd < NUMBERS; fd++)
        open_now[fd] = fd_is_open(fd);
}

/* Plants a file by each number that was not open before; returns the last of these numbers. */
static int plant_for_new(const int before[NUMBERS])
{
    int planted = -1;
    for (int fd = 0; fd < NUMBERS; fd++) {
        if (before[fd] || !fd_is_open(fd))
            continue;
        if (planted < 0)
            plant(fd);
        else
            ck_assert_int_eq(dup2(planted, fd), fd);
        planted = fd;
    }
    return planted;
}

static void close_new(const int before[NUMBERS])
{
    for (int fd = 0; fd < NUMBERS; fd++)
        if (!before[fd] && fd_is_open(fd))
            close(fd);
}

/*
 * The descriptors that wake a wait with a cancel descriptor are lost: in a wait for its turn, and in a wait for another
 * process.
 */
START_TEST(test_lost_wakeup)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    if (UNDER_TSAN)
        SKIP("ThreadSanitizer reports that this thread closes what another thread has opened");
    struct filelock_options options = options_of(kind);
    int cancel[2];
    ck_assert_int_eq(pipe(cancel), 0);
    options.cancel = cancel[0];
    for (int turn = 0; turn < 2; turn++) {
        int before[NUMBERS];
        struct caller caller;
        struct filelock *lock = NULL;
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        EXPECT(filelock_new(&lock, scratch("lock"), &options), 0);
        held_fd(lock);
        if (!turn) {
            EXPECT(filelock_release(lock), 0);
            PEER_SAYS(peer, "0", "acquire a exclusive 0");
        }
        caller_start(&caller);
        note_open(before);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
        if (turn)
            wait_for_sleep(&caller);
        else
            wait_for_queued(kind, scratch("lock"), &caller);
        int fd = plant_for_new(before);
        ck_assert_int_ge(fd, 0);
        if (turn)
            EXPECT(filelock_release(lock), 0);
        else
            PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
        expect_untouched(fd);
        caller_end(&caller);
        filelock_free(lock);
        expect_untouched(fd);
        close_new(before);
        peer_end(peer);
    }
    close(cancel[0]);
    close(cancel[1]);
}
END_TEST

START_TEST(test_lost_descriptor_of_the_caller)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_FD);
    struct filelock_options options = options_of(kind);
    struct filelock *lock = NULL;
    int fd = open_fd(scratch("lock"));
    options.flags = FILELOCK_RECORD_OWNER;
    EXPECT(filelock_new_from_fd(&lock, fd, &options), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    plant(fd);
    EXPECT(filelock_check(lock), -ESTALE);
    EXPECT(filelock_release(lock), -ESTALE);
    ck_assert_int_eq(filelock_held(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ESTALE);
    filelock_free(lock);
    expect_untouched(fd);
    close(fd);
}
END_TEST

/* A child closes the copies of its parent's descriptors, and no other file. */
START_TEST(test_lost_and_forked)
{
    const struct kind *kind = kind_at(_i);
    const unsigned flags[] = { 0, FORK_SHARE_OF(kind) | FILELOCK_RECORD_OWNER };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), flags[i]);
        int fd = held_fd(lock), status;
        plant(fd);
        pid_t child = fork();
        if (child == 0)
            _exit(fd_is_open(fd) ? 0 : 1);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(status == 0, "the child closed it");
        expect_untouched(fd);
        filelock_free(lock);
        expect_untouched(fd);
        close(fd);
    }
}
END_TEST

#ifdef __linux__
enum { MANY = 64 };

/*
 * Adds the numbers of those open files that have no path and are of this kind, as the system names it.  Returns the new
 * count.
 */
static int find_open(const char *what, int fds[MANY], int count)
{
    char link[64], name[64];
    for (int fd = 3; fd < 256 && count < MANY; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, name, sizeof name - 1);
        name[n > 0 ? n : 0] = '\0';
        if (!strcmp(name, what))
            fds[count++] = fd;
    }
    return count;
}

/*
 * Puts the end of a pipe that has data in the place of what a wait has left open for the next wait.  Returns how many
 * there are.
 */
static int plant_for_watches(int fds[MANY])
{
    int ends[2], count = find_open("anon_inode:inotify", fds, 0);
    ck_assert_int_eq(count, 1);
    count = find_open("anon_inode:[pidfd]", fds, count);
    count = find_open("pidfd", fds, count);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "data", 4), 4);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(dup2(ends[0], fds[i]), fds[i]);
    close(ends[0]);
    close(ends[1]);
    return count;
}

static void expect_unread(const int fds[MANY], int count)
{
    char data[5] = "";
    for (int i = 0; i < count; i++)
        ck_assert_msg(fd_is_open(fds[i]), "the program's descriptor was closed");
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_eq(read(fds[0], data, 4), 4);
    ck_assert_str_eq(data, "data");
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* ---- A thread with a table of open files of its own ------------------------------------------- */

#define CLONE_FILES_ 0x400 /* CLONE_FILES of sched.h */

/* A thread that has left the process's table of open files, and waits for the lock. */
struct loner {
    const struct kind *kind;
    struct peer *peer;
    pthread_barrier_t opened, planted;
    int left, fd, result;
};

static void *wait_alone(void *arg)
{
    struct loner *loner = arg;
    struct filelock *lock = new_lock(loner->kind, scratch("lock"), 0);
    loner->left = (int) syscall(SYS_unshare, CLONE_FILES_);
    if (filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY) == 0) {
        loner->fd = filelock_fd(lock);
        filelock_release(lock);
    }
    pthread_barrier_wait(&loner->opened);
    pthread_barrier_wait(&loner->planted);
    loner->result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100);
    filelock_free(lock);
    return NULL;
}

/* Leaves an idle helper thread, which has the process's table. */
static void warm_up(const struct kind *kind)
{
    struct caller caller;
    struct filelock *one = new_lock(kind, scratch("warm"), 0), *other = new_lock(kind, scratch("warm"), 0);
    EXPECT(filelock_acquire(one, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    caller_start(&caller);
    begin_acquire(&caller, other, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_queued(kind, scratch("warm"), &caller);
    EXPECT(filelock_release(one), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, other), 0);
    caller_end(&caller);
    filelock_free(one);
    filelock_free(other);
}

START_TEST(test_table_of_a_thread)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int same_file = 0; same_file < 2; same_file++) {
        struct loner loner = { .kind = kind, .peer = peer_with(kind, scratch("lock"), 0), .fd = -1 };
        pthread_t thread;
        warm_up(kind);
        ck_assert_int_eq(pthread_barrier_init(&loner.opened, NULL, 2), 0);
        ck_assert_int_eq(pthread_barrier_init(&loner.planted, NULL, 2), 0);
        ck_assert_int_eq(pthread_create(&thread, NULL, wait_alone, &loner), 0);
        pthread_barrier_wait(&loner.opened);
        ck_assert_int_eq(loner.left, 0);
        ck_assert_int_ge(loner.fd, 0);
        int fd = open(scratch(same_file ? "lock" : "data"), O_RDWR | O_CREAT | O_CLOEXEC, 0644), number = loner.fd;
        ck_assert_int_eq(fd == number ? fd : dup2(fd, number), number);
        if (fd != number)
            close(fd);
        struct filelock *ours = new_lock(kind, scratch("lock"), 0);
        if (same_file && kind->can & CAN_FD) { /* the number is a descriptor that has the lock */
            filelock_free(ours);
            struct filelock_options options = options_of(kind);
            EXPECT(filelock_new_from_fd(&ours, number, &options), 0);
        }
        EXPECT(filelock_acquire(ours, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        pthread_barrier_wait(&loner.planted);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        EXPECT(loner.result, -ETIMEDOUT);
        PEER_SAYS(loner.peer, "-ETIMEDOUT", "acquire a exclusive 0");
        if (!same_file)
            expect_free(kind, scratch("data"));
        filelock_free(ours);
        close(number);
        pthread_barrier_destroy(&loner.opened);
        pthread_barrier_destroy(&loner.planted);
        peer_end(loner.peer);
    }
}
END_TEST

/* A thread that leaves the process's table, and begins attempts. */
struct beginner {
    struct filelock *lock;
    int left, begun, finished, released;
};

static void *begin_alone(void *arg)
{
    struct beginner *beginner = arg;
    struct pollfd ready = { .events = POLLIN };
    beginner->left = (int) syscall(SYS_unshare, CLONE_FILES_);
    beginner->begun = filelock_acquire_begin(beginner->lock, FILELOCK_EXCLUSIVE, 100);
    if (beginner->begun != -EINPROGRESS)
        return NULL;
    ready.fd = filelock_acquire_waitable(beginner->lock);
    poll(&ready, 1, PATIENCE_MS);
    beginner->finished = filelock_acquire_finish(beginner->lock);
    return NULL;
}

/* Returns what begin answers to a thread that has left the table. */
static int begun_alone(struct beginner *beginner)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, begin_alone, beginner), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(beginner->left, 0);
    return beginner->begun;
}

/* Returns whether kcmp(2), by which the library finds out, is allowed here. */
static int can_compare_tables(void)
{
    long self = syscall(SYS_gettid);
    return syscall(SYS_kcmp, self, self, 2 /* KCMP_FILES */, 0UL, 0UL) == 0;
}

/* The thread that looks after attempts has the table of the thread that began the first. */
START_TEST(test_begin_in_table_of_a_thread)
{
    const struct kind *kind = kind_at(_i);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    struct beginner beginner = { .lock = new_lock(kind, scratch("lock"), 0) };
    struct filelock *ours = new_lock(kind, scratch("lock"), 0);
    if (!can_compare_tables())
        SKIP("kcmp(2) is refused here");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(begun_alone(&beginner), -EINPROGRESS);
    EXPECT(beginner.finished, -ETIMEDOUT);
    filelock_free(beginner.lock);
    filelock_free(ours); /* the last handle ends that thread, which had the other table */
    ours = new_lock(kind, scratch("lock"), 0);
    beginner.lock = new_lock(kind, scratch("lock"), 0);
    EVENTUALLY(filelock_acquire_begin(ours, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER) == -EINPROGRESS);
    EXPECT(begun_alone(&beginner), -EAGAIN);
    ck_assert_int_eq(filelock_acquire_waitable(beginner.lock), FILELOCK_NO_WAITABLE);
    EXPECT(filelock_acquire_begin(beginner.lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EINPROGRESS);
    EXPECT(filelock_acquire_abort(beginner.lock), 0);
    EXPECT(filelock_acquire_abort(ours), 0);
    filelock_free(beginner.lock);
    filelock_free(ours);
    peer_end(peer);
}
END_TEST

/*
 * Descriptors that waiters keep for the next wait are lost.  The last handle, a child, or the next wait would close
 * them, and must not close the program's.
 */
START_TEST(test_lost_watches)
{
    enum { FREED, FORKED, WAITED, WAYS };
    const struct kind *kind = kind_at(_i);
    if (kind->kind != FILELOCK_KIND_SOFT)
        return;
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    for (int way = FREED; way < WAYS; way++) {
        int fds[MANY], count, status;
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
        count = plant_for_watches(fds);
        if (way == FORKED) {
            pid_t child = fork();
            if (child == 0)
                _exit(fd_is_open(fds[0]) && fd_is_open(fds[count - 1]) ? 0 : 1);
            ck_assert_int_eq(waitpid(child, &status, 0), child);
            ck_assert_msg(status == 0, "the child closed it");
        }
        if (way == WAITED)
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
        filelock_free(lock);
        expect_unread(fds, count);
    }
}
END_TEST

/*
 * The descriptor by which a waiter is told of the holder's end is lost.  The waiter, and an attempt that no thread
 * waits for, find out that the holder has ended.
 */
START_TEST(test_lost_process)
{
    const struct kind *kind = kind_at(_i);
    if (kind->can & CAN_KEEP_FILE)
        return;
    int probe = (int) syscall(SYS_pidfd_open, getpid(), 0);
    if (probe < 0)
        SKIP("the end of a process cannot be watched here");
    close(probe);
    for (int begun = 0; begun < 2; begun++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        struct caller caller;
        int fds[MANY], ends[2], rc = 0;
        caller_start(&caller);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        if (begun)
            EXPECT(filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EINPROGRESS);
        else
            begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
        EVENTUALLY(find_open("anon_inode:[pidfd]", fds, 0) + find_open("pidfd", fds, 0) > 0);
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(dup2(ends[0], fds[0]), fds[0]);
        peer_kill(peer);
        if (begun)
            EVENTUALLY((rc = filelock_acquire_finish(lock)) != -EINPROGRESS);
        else
            rc = end_call(&caller);
        EXPECT(rc, 0);
        caller_end(&caller);
        filelock_free(lock);
        ck_assert_msg(fd_is_open(fds[0]), "the program's descriptor was closed");
        close(fds[0]);
        close(ends[0]);
        close(ends[1]);
    }
}
END_TEST
#endif

/* ---- During a wait ------------------------------------------------------------------------------ */

static int planted; /* the number, or -1 */

/* Closes the lock file, which the waiting handle has open, and opens a file of the program by its number. */
static void close_and_plant(struct filelock *lock, void *unused)
{
    struct stat file, open_file;
    (void) lock;
    (void) unused;
    ck_assert_int_eq(stat(scratch("lock"), &file), 0);
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &open_file) == 0 && open_file.st_ino == file.st_ino && open_file.st_dev == file.st_dev) {
            plant(fd);
            __atomic_store_n(&planted, fd, __ATOMIC_SEQ_CST);
            return;
        }
    ck_abort_msg("the handle has no file open");
}

/* on_wait closes the descriptor by which the handle is about to wait. */
START_TEST(test_lost_before_the_wait)
{
    static const int64_t waits[] = { FILELOCK_FOREVER, PATIENCE_MS };
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int i = 0; i < 2; i++) {
        struct filelock_options options = options_of(kind);
        struct caller caller;
        struct peer *peer = peer_with(kind, scratch("lock"), 0);
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        options.on_wait = close_and_plant;
        options.flags = FILELOCK_ANY_THREAD;
        struct filelock *lock = new_lock_with(&options, scratch("lock"));
        caller_start(&caller);
        __atomic_store_n(&planted, -1, __ATOMIC_SEQ_CST);
        begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, waits[i]);
        EVENTUALLY(__atomic_load_n(&planted, __ATOMIC_SEQ_CST) >= 0);
        wait_for_queue(kind, scratch("lock"), 1); /* for which the test opens the file itself */
        PEER_SAYS(peer, "0", "release a");
        EXPECT(end_call(&caller), 0);
        EXPECT(filelock_check(lock), 0);
        expect_untouched(planted);
        filelock_free(lock);
        caller_end(&caller);
        expect_untouched(planted);
        close(planted);
        peer_end(peer);
    }
}
END_TEST

/* No descriptor of this process has this number. */
#define NOT_OPEN 999

START_TEST(test_cancel_is_not_open)
{
    static const int64_t waits[] = { FILELOCK_FOREVER, PATIENCE_MS };
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    options.cancel = NOT_OPEN;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    for (int i = 0; i < 2; i++)
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, waits[i]), -EINVAL);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("lost");
    TCase *tcase = add_case(suite, "lost");
    ADD_FOR_KINDS(tcase, test_lost_at_rest);
    ADD_FOR_KINDS(tcase, test_lost_and_freed);
    ADD_FOR_KINDS(tcase, test_lost_while_held);
    ADD_FOR_KINDS(tcase, test_lost_marker);
    ADD_FOR_KINDS(tcase, test_lost_marker_touched);
    ADD_FOR_KINDS(tcase, test_lost_marker_and_its_number);
    ADD_FOR_KINDS(tcase, test_lost_before_the_wait);
    ADD_FOR_KINDS(tcase, test_cancel_is_not_open);
    ADD_FOR_KINDS(tcase, test_lost_while_waiting);
    ADD_FOR_KINDS(tcase, test_lost_wakeup);
    ADD_FOR_KINDS(tcase, test_lost_descriptor_of_the_caller);
    ADD_FOR_KINDS(tcase, test_lost_and_forked);
#ifdef __linux__
    ADD_FOR_KINDS(tcase, test_lost_watches);
    ADD_FOR_KINDS(tcase, test_lost_process);
    ADD_FOR_KINDS(tcase, test_table_of_a_thread);
    ADD_FOR_KINDS(tcase, test_begin_in_table_of_a_thread);
#endif
    return suite;
}
