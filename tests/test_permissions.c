/* SPDX-License-Identifier: MIT
 *
 * test_permissions.c - what only POSIX has: a lock file's mode and owner, links and FIFOs, descriptors.
 */
#include "posix.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int try_path(const struct kind *kind, const char *path, unsigned flags, enum filelock_mode mode)
{
    struct filelock *lock = new_lock(kind, path, flags);
    int result = filelock_acquire(lock, mode, FILELOCK_TRY);
    ck_assert_int_eq(filelock_held(lock), result == 0);
    filelock_free(lock);
    return result;
}

static int try_exclusive(const struct kind *kind, const char *path, unsigned flags)
{
    return try_path(kind, path, flags, FILELOCK_EXCLUSIVE);
}

/* ---- Modes ---------------------------------------------------------------------------------- */

START_TEST(test_default_bits)
{
    static const mode_t masks[] = { 022, 077, 0, 0777 & ~0600 };
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        umask(masks[i]);
        EXPECT(try_exclusive(kind, scratch("lock"), 0), 0);
        ck_assert_uint_eq(mode_of(scratch("lock")), 0666 & ~masks[i]);
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
    }
}
END_TEST

START_TEST(test_exact_bits)
{
    static const unsigned modes[] = { 0600, 0666, 0640, 0622, 0777, 0664 };
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        options.file_mode = modes[i];
        struct filelock *lock = new_lock_with(&options, scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert_uint_eq(mode_of(scratch("lock")), modes[i]);
        EXPECT(filelock_release(lock), 0);
        filelock_free(lock);
        remove_file(scratch("lock"));
    }
    ck_assert_uint_eq(umask(022), 077); /* the library did not change it */
}
END_TEST

/* Set-id and sticky bits can be set too. */
START_TEST(test_exact_special_bits)
{
    const struct kind *kind = kind_at(_i);
    struct filelock_options options = options_of(kind);
    options.file_mode = 01600;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_uint_eq(mode_of(scratch("lock")), 01600);
    filelock_free(lock);
}
END_TEST

START_TEST(test_existing_file_is_left_alone)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct filelock_options options = options_of(kind);
    struct stat before, after;
    options.file_mode = 0600;
    make_file(scratch("lock"), 0644, "contents\nof a file\n");
    ck_assert_int_eq(stat(scratch("lock"), &before), 0);
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(lock, i ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(scratch("lock"), "contents\nof a file\n");
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
    ck_assert_int_eq(stat(scratch("lock"), &after), 0);
    ck_assert_uint_eq(mode_of(scratch("lock")), 0644);
    expect_contents(scratch("lock"), "contents\nof a file\n");
    ck_assert(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);
    ck_assert(before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}
END_TEST

START_TEST(test_modes_of_parents)
{
    const struct kind *kind = kind_at(_i);
    umask(027);
    EXPECT(try_exclusive(kind, scratch("a/b/c/lock"), FILELOCK_MAKE_PARENTS), 0);
    ck_assert_uint_eq(mode_of(scratch("a")), 0750);
    ck_assert_uint_eq(mode_of(scratch("a/b/c")), 0750);
    umask(022);
}
END_TEST

/* ---- What a path may be ---------------------------------------------------------------------- */

START_TEST(test_symbolic_link)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("target"), 0644, "");
    ck_assert_int_eq(symlink("target", scratch("link")), 0);
    EXPECT(try_exclusive(kind, scratch("link"), 0), -ELOOP);
    struct filelock *lock = new_lock(kind, scratch("link"), FILELOCK_FOLLOW_SYMLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    expect_taken(kind, scratch("target"));
    EXPECT(filelock_release(lock), 0);
    expect_free(kind, scratch("target"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    ck_assert(path_exists(scratch("link")));
}
END_TEST

START_TEST(test_dangling_link)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    ck_assert_int_eq(symlink("target", scratch("link")), 0);
    EXPECT(try_exclusive(kind, scratch("link"), 0), -ELOOP);
    ck_assert(!path_exists(scratch("target")));
    EXPECT(try_exclusive(kind, scratch("link"), FILELOCK_FOLLOW_SYMLINK), 0);
    ck_assert(path_exists(scratch("target")));
    ck_assert_int_eq(symlink("nowhere/at/all", scratch("lost")), 0);
    EXPECT(try_exclusive(kind, scratch("lost"), FILELOCK_FOLLOW_SYMLINK), -ENOENT);
    ck_assert_int_eq(symlink("round", scratch("round")), 0);
    EXPECT(try_exclusive(kind, scratch("round"), FILELOCK_FOLLOW_SYMLINK), -ELOOP);
}
END_TEST

/* A link is refused only as the last component: /run and /tmp may well be links. */
START_TEST(test_link_in_directory_part)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(make_directory(scratch("real")), 0);
    ck_assert_int_eq(symlink("real", scratch("alias")), 0);
    struct filelock *lock = new_lock(kind, scratch("alias/lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_taken(kind, scratch("real/lock"));
    filelock_free(lock);
}
END_TEST

/* A link is planted where the lock file was, between two acquires of the handle. */
START_TEST(test_link_planted_later)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(rename(scratch("lock"), scratch("moved")), 0);
    ck_assert_int_eq(symlink("moved", scratch("lock")), 0); /* to the very file that the handle has open */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ELOOP);
    ck_assert_int_eq(unlink(scratch("lock")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    filelock_free(lock);
}
END_TEST

/* Opening a FIFO for reading would wait for a writer, without a timeout. */
START_TEST(test_fifo)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    ck_assert_int_eq(mkfifo(scratch("fifo"), 0666), 0);
    int64_t start = now_ns();
    int result = try_exclusive(kind, scratch("fifo"), 0);
    EXPECT_TOOK(start, 0);
    ck_assert_msg(result <= 0 && result != -ETIMEDOUT, "%s", result_name(result));
    start = now_ns();
    try_path(kind, scratch("fifo"), 0, FILELOCK_SHARED);
    EXPECT_TOOK(start, 0);
}
END_TEST

START_TEST(test_directory)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    ck_assert_int_eq(make_directory(scratch("dir")), 0);
    EXPECT(try_path(kind, scratch("dir"), 0, FILELOCK_SHARED), 0);
    EXPECT(try_exclusive(kind, scratch("dir"), 0), kind->can & CAN_DIRECTORY ? 0 : -EISDIR);
    struct filelock *lock = new_lock(kind, scratch("dir"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    if (kind->can & CAN_DIRECTORY)
        expect_taken(kind, scratch("dir"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_not_a_directory)
{
    ck_assert_int_eq(write_file(scratch("file"), "", 0), 0);
    EXPECT(try_exclusive(kind_at(_i), scratch("file/lock"), 0), -ENOTDIR);
    EXPECT(try_exclusive(kind_at(_i), scratch("file/b/lock"), FILELOCK_MAKE_PARENTS), -ENOTDIR);
}
END_TEST

START_TEST(test_long_name)
{
    char name[300];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    EXPECT(try_exclusive(kind_at(_i), scratch(name), 0), -ENAMETOOLONG);
}
END_TEST

START_TEST(test_long_path)
{
    const struct kind *kind = kind_at(_i);
    char path[PATH_MAX + 100];
    memset(path, '/', sizeof path);
    strcpy(path + sizeof path - 5, "lock");
    EXPECT(try_exclusive(kind, path, 0), -ENAMETOOLONG);
    EXPECT(try_exclusive(kind, path, FILELOCK_MAKE_PARENTS), -ENAMETOOLONG);
}
END_TEST

/* A name may consist of any bytes that the system takes. */
START_TEST(test_names_of_bytes)
{
    static const char *const names[] = { " ", "\n", "\xff\xfe", "a b\tc", "'\"$(x)`;" };
    const struct kind *kind = kind_at(_i);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct filelock *lock = new_lock(kind, scratch(names[i]), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert(path_exists(scratch(names[i])));
        expect_taken(kind, scratch(names[i]));
        filelock_free(lock);
    }
}
END_TEST

/* ---- Permissions ---------------------------------------------------------------------------- */

START_TEST(test_read_only_file)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("lock"), 0444, "text");
    AS_ORDINARY_USER();
    EXPECT(try_path(kind, scratch("lock"), 0, FILELOCK_SHARED), 0);
    EXPECT(try_exclusive(kind, scratch("lock"), 0), kind->can & CAN_READ_ONLY ? 0 : -EACCES);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0); /* one handle, both modes */
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), kind->can & CAN_READ_ONLY ? 0 : -EACCES);
    filelock_free(lock);
    expect_contents(scratch("lock"), "text");
}
END_TEST

/*
 * The handle opens the file read-only while that is all it may do.  Once the file may be written, the handle locks it
 * exclusively.
 */
START_TEST(test_read_only_then_writable)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    AS_ORDINARY_USER();
    make_file(scratch("lock"), 0444, "");
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(chmod(scratch("lock"), 0644), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

START_TEST(test_unreadable_file)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("lock"), 0000, "");
    AS_ORDINARY_USER();
    EXPECT(try_path(kind, scratch("lock"), 0, FILELOCK_SHARED), -EACCES);
    EXPECT(try_exclusive(kind, scratch("lock"), 0), -EACCES);
}
END_TEST

START_TEST(test_unwritable_directory)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(mkdir(scratch("dir"), 0755), 0);
    AS_ORDINARY_USER();
    chmod(scratch("dir"), 0555); /* for tests without root, who own the directory */
    EXPECT(try_exclusive(kind, scratch("dir/lock"), 0), -EACCES);
    EXPECT(try_exclusive(kind, scratch("dir/sub/lock"), FILELOCK_MAKE_PARENTS), -EACCES);
}
END_TEST

START_TEST(test_unsearchable_directory)
{
    const struct kind *kind = kind_at(_i);
    ck_assert_int_eq(mkdir(scratch("dir"), 0755), 0);
    ck_assert_int_eq(chmod(scratch("dir"), 0600), 0);
    AS_ORDINARY_USER();
    EXPECT(try_exclusive(kind, scratch("dir/lock"), 0), -EACCES);
}
END_TEST

/*
 * Sets the switch and locks it until it is restored, because the whole system has only one.  Returns a descriptor of
 * it, or -1.
 */
static int set_protected_regular(char value, char *before)
{
    int fd = open("/proc/sys/fs/protected_regular", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX) == 0 && read_at(fd, before, 1, 0) == 1 && write_at(fd, &value, 1, 0) == 1)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void restore_protected_regular(int fd, char before)
{
    ck_assert_int_eq(write_at(fd, &before, 1, 0), 1);
    close(fd);
}

/*
 * If fs.protected_regular is set, as it is by default under systemd, the kernel refuses O_CREAT on some existing files
 * although O_RDWR would do.  These are files of another user, in a sticky directory that others may write to.
 */
START_TEST(test_sticky_directory)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    NEEDS_ROOT();
    ck_assert_int_eq(mkdir(scratch("sticky"), 0755), 0);
    ck_assert_int_eq(chown(scratch("sticky"), 12345, 12345), 0);
    ck_assert_int_eq(chmod(scratch("sticky"), 01777), 0);
    make_file(scratch("sticky/lock"), 0666, "");
    ck_assert_int_eq(chown(scratch("sticky/lock"), 54321, 54321), 0);
    char before = '0';
    int protected = set_protected_regular('1', &before);
    if (protected < 0)
        SKIP("cannot set fs.protected_regular here");
    int direct = open(scratch("sticky/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int error = errno;
    struct filelock *lock = new_lock(kind, scratch("sticky/lock"), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    filelock_free(lock);
    restore_protected_regular(protected, before);
    EXPECT(result, 0);
    if (direct >= 0)
        close(direct);
    ck_assert_msg(direct < 0 && error == EACCES, "the kernel did not refuse what this test is about");
}
END_TEST

START_TEST(test_file_of_another_user)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    NEEDS_ROOT();
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    make_file(scratch("lock"), 0666, "");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    become_nobody();
    EXPECT(try_exclusive(kind, scratch("lock"), 0), -ETIMEDOUT);
    EXPECT(try_path(kind, scratch("lock"), 0, FILELOCK_SHARED), -ETIMEDOUT);
    PEER_SAYS(peer, "0", "release a");
    EXPECT(try_exclusive(kind, scratch("lock"), 0), 0);
}
END_TEST

/* ---- How the file is opened ------------------------------------------------------------------- */

static int access_mode(const struct kind *kind, const char *path, unsigned flags, enum filelock_mode mode)
{
    struct filelock *lock = new_lock(kind, path, flags);
    EXPECT(filelock_acquire(lock, mode, FILELOCK_TRY), 0);
    int access = fcntl(filelock_fd(lock), F_GETFL) & O_ACCMODE;
    filelock_free(lock);
    return access;
}

START_TEST(test_opened_to_read)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    int exclusive = kind->can & CAN_READ_ONLY ? O_RDONLY : O_RDWR;
    for (int there = 0; there < 2; there++) {
        ck_assert_int_eq(access_mode(kind, scratch("lock"), 0, FILELOCK_EXCLUSIVE), exclusive);
        ck_assert_int_eq(access_mode(kind, scratch("shared"), 0, FILELOCK_SHARED), O_RDONLY);
        ck_assert_int_eq(access_mode(kind, scratch("record"), FILELOCK_RECORD_OWNER, FILELOCK_EXCLUSIVE), O_RDWR);
    }
    struct filelock *lock = new_lock(kind, scratch("lock"), 0); /* one handle, both modes */
    for (int mode = 1; mode >= 0; mode--) {
        EXPECT(filelock_acquire(lock, mode ? FILELOCK_SHARED : FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert_int_eq(fcntl(filelock_fd(lock), F_GETFL) & O_ACCMODE, mode ? O_RDONLY : exclusive);
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
}
END_TEST

/* A program can be its own lock file: it is not opened for writing, which would keep the kernel from executing it. */
START_TEST(test_program_as_lock_file)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("program"), 0755, "#!/bin/sh\nexit 7\n");
    struct filelock *lock = new_lock(kind, scratch("program"), 0);
    EXPECT(filelock_acquire(lock, kind->can & CAN_READ_ONLY ? FILELOCK_EXCLUSIVE : FILELOCK_SHARED, FILELOCK_TRY), 0);
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl(scratch("program"), "program", (char *) NULL);
        _exit(99);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 7, "it did not run: %d", status);
    filelock_free(lock);
}
END_TEST

START_TEST(test_file_that_may_only_be_written)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("lock"), 0222, "");
    open_scratch();
    AS_ORDINARY_USER();
    ck_assert_int_eq(access_mode(kind, scratch("lock"), 0, FILELOCK_EXCLUSIVE), O_WRONLY);
    ck_assert_int_eq(access_mode(kind, scratch("lock"), FILELOCK_RECORD_OWNER, FILELOCK_EXCLUSIVE), O_WRONLY);
    EXPECT(try_path(kind, scratch("lock"), 0, FILELOCK_SHARED), kind->can & CAN_READ_ONLY ? 0 : -EACCES);
}
END_TEST

/* The record is a note: a lock that needs no write access is not refused because of it. */
START_TEST(test_record_in_read_only_file)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    make_file(scratch("lock"), 0444, "text");
    open_scratch();
    AS_ORDINARY_USER();
    EXPECT(try_exclusive(kind, scratch("lock"), FILELOCK_RECORD_OWNER), kind->can & CAN_READ_ONLY ? 0 : -EACCES);
    EXPECT(try_path(kind, scratch("lock"), FILELOCK_RECORD_OWNER, FILELOCK_SHARED), 0);
    expect_contents(scratch("lock"), "text");
}
END_TEST

#ifdef __linux__
/* The error of flock(2) on NFS, which asks the server for a lock: an exclusive lock needs write access.  0: none. */
static int refusal;

/* The error that an unlock is refused with; 0: none. */
static int stuck;

int flock(int fd, int operation)
{
    if (stuck != 0 && operation == LOCK_UN) {
        errno = stuck;
        return -1;
    }
    if (refusal != 0 && (operation & LOCK_EX) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        errno = refusal;
        return -1;
    }
    return (int) syscall(SYS_flock, fd, operation);
}

START_TEST(test_flock_wants_write_access)
{
    static const int refusals[] = { EBADF, EIO };
    const struct kind *kind = kind_at(_i);
    if (kind->kind != FILELOCK_KIND_FLOCK)
        return;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), 0);
        refusal = refusals[i];
        for (int round = 0; round < 2; round++) {
            EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
            ck_assert_int_eq(fcntl(filelock_fd(lock), F_GETFL) & O_ACCMODE, O_RDWR);
            EXPECT(filelock_release(lock), 0);
        }
        filelock_free(lock);
        refusal = 0;
    }
    make_file(scratch("read only"), 0444, "");
    open_scratch();
    AS_ORDINARY_USER();
    refusal = EBADF;
    EXPECT(try_exclusive(kind, scratch("read only"), 0), -EACCES);
    refusal = 0;
}
END_TEST

/* A lock that could not be released stays as it was. */
START_TEST(test_refused_release)
{
    const struct kind *kind = kind_at(_i);
    char before[1024], after[1024];
    if (kind->kind != FILELOCK_KIND_FLOCK)
        return;
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER | FILELOCK_KEEP_ON_EXEC);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int fd = filelock_fd(lock);
    ssize_t size = pread(fd, before, sizeof before, 0);
    ck_assert_int_gt(size, 0);
    stuck = EIO;
    EXPECT(filelock_release(lock), -EIO);
    ck_assert_int_eq(pread(fd, after, sizeof after, 0), size);
    ck_assert_int_eq(memcmp(before, after, (size_t) size), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(filelock_held(lock), 1);
    stuck = 0;
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    expect_contents(scratch("lock"), "");
    filelock_free(lock);
}
END_TEST

#ifndef F_SETLEASE
#define F_SETLEASE 1024
#endif

/* The holder of a lease on the file gives it up when it likes.  Until then the lock counts as held. */
START_TEST(test_lease)
{
    const struct kind *kind = kind_at(_i);
    struct caller caller;
    make_file(scratch("lock"), 0666, "1\ngoes.on\n");
    int fd = open(scratch("lock"), O_RDWR | O_CLOEXEC);
    signal(SIGIO, SIG_IGN);
    if (fcntl(fd, F_SETLEASE, F_WRLCK) != 0) {
        close(fd);
        SKIP("no leases here");
    }
    caller_start(&caller);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    ck_assert_int_eq(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    close(fd);
    if (!(kind->can & CAN_KEEP_FILE))
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_RELEASE, lock), 0);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST
#endif

/* ---- Descriptors ---------------------------------------------------------------------------- */

START_TEST(test_close_on_exec)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    for (int keep = 0; keep < 2; keep++) {
        struct filelock *lock = new_lock(kind, scratch("lock"), keep ? FILELOCK_KEEP_ON_EXEC : 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        int flags = fcntl(filelock_fd(lock), F_GETFD);
        ck_assert_int_ge(flags, 0);
        ck_assert_int_eq(flags & FD_CLOEXEC ? 1 : 0, !keep);
        ck_assert_int_ge(filelock_fd(lock), 3);
        filelock_free(lock);
    }
}
END_TEST

/* Descriptors 0 to 2 belong to the program, even if it has closed them. */
START_TEST(test_standard_descriptors_stay_free)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    close(0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    int fd = filelock_fd(lock);
    filelock_free(lock);
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
    EXPECT(result, 0);
    ck_assert_int_ge(fd, 3);
}
END_TEST

START_TEST(test_descriptor_is_kept_and_closed)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    ck_assert_int_eq(filelock_fd(lock), -1);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int fd = filelock_fd(lock);
    ck_assert_int_eq(descriptors_on(scratch("lock")), 1);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(filelock_fd(lock), -1);
    ck_assert_int_eq(descriptors_on(scratch("lock")), 1); /* for the next acquire */
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    ck_assert_int_eq(filelock_fd(lock), fd);
    filelock_free(lock);
    ck_assert_int_eq(descriptors_on(scratch("lock")), 0);
}
END_TEST

/* If there are no descriptors left, an acquire fails, and leaves the handle as it was and nothing half done. */
START_TEST(test_no_descriptors)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct rlimit limit, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = fcntl(0, F_DUPFD_CLOEXEC, 3);
    ck_assert_int_ge(next, 3);
    close(next);
    none = limit;
    none.rlim_cur = (rlim_t) next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    int held = filelock_held(lock);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT(result, -EMFILE);
    ck_assert_int_eq(held, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
}
END_TEST

/* ---- Suite ---------------------------------------------------------------------------------- */

static void add_modes(Suite *suite)
{
    TCase *tcase = add_case(suite, "modes");
    ADD_FOR_KINDS(tcase, test_default_bits);
    ADD_FOR_KINDS(tcase, test_exact_bits);
    ADD_FOR_KINDS(tcase, test_exact_special_bits);
    ADD_FOR_KINDS(tcase, test_existing_file_is_left_alone);
    ADD_FOR_KINDS(tcase, test_modes_of_parents);
}

static void add_paths(Suite *suite)
{
    TCase *tcase = add_case(suite, "paths");
    ADD_FOR_KINDS(tcase, test_symbolic_link);
    ADD_FOR_KINDS(tcase, test_dangling_link);
    ADD_FOR_KINDS(tcase, test_link_in_directory_part);
    ADD_FOR_KINDS(tcase, test_link_planted_later);
    ADD_FOR_KINDS(tcase, test_fifo);
    ADD_FOR_KINDS(tcase, test_directory);
    ADD_FOR_KINDS(tcase, test_not_a_directory);
    ADD_FOR_KINDS(tcase, test_long_name);
    ADD_FOR_KINDS(tcase, test_long_path);
    ADD_FOR_KINDS(tcase, test_names_of_bytes);
}

static void add_permissions(Suite *suite)
{
    TCase *tcase = add_case(suite, "permissions");
    ADD_FOR_KINDS(tcase, test_read_only_file);
    ADD_FOR_KINDS(tcase, test_read_only_then_writable);
    ADD_FOR_KINDS(tcase, test_unreadable_file);
    ADD_FOR_KINDS(tcase, test_unwritable_directory);
    ADD_FOR_KINDS(tcase, test_unsearchable_directory);
    ADD_FOR_KINDS(tcase, test_sticky_directory);
    ADD_FOR_KINDS(tcase, test_file_of_another_user);
}

static void add_access(Suite *suite)
{
    TCase *tcase = add_case(suite, "access");
    ADD_FOR_KINDS(tcase, test_opened_to_read);
    ADD_FOR_KINDS(tcase, test_program_as_lock_file);
    ADD_FOR_KINDS(tcase, test_file_that_may_only_be_written);
    ADD_FOR_KINDS(tcase, test_record_in_read_only_file);
#ifdef __linux__
    ADD_FOR_KINDS(tcase, test_flock_wants_write_access);
    ADD_FOR_KINDS(tcase, test_refused_release);
    ADD_FOR_KINDS(tcase, test_lease);
#endif
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("permissions");
    add_modes(suite);
    add_paths(suite);
    add_permissions(suite);
    add_access(suite);
    TCase *tcase = add_case(suite, "descriptors");
    ADD_FOR_KINDS(tcase, test_close_on_exec);
    ADD_FOR_KINDS(tcase, test_standard_descriptors_stay_free);
    ADD_FOR_KINDS(tcase, test_descriptor_is_kept_and_closed);
    ADD_FOR_KINDS(tcase, test_no_descriptors);
    return suite;
}
