/* SPDX-License-Identifier: MIT
 *
 * test_owner_linux.c - what it costs to ask for a holder, and what a question leaves as it was.
 */
#define _GNU_SOURCE
#include "peers.h"
#include "posix.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTS 8

/* The lists that take the place of /proc/locks, each time that it is opened.  The last list stays. */
static struct {
    char path[LISTS][256];
    int lists, opens;
} fake;

static int open_listed(const char *path, int flags, va_list args)
{
    unsigned mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, unsigned) : 0;
    if (fake.lists && !strcmp(path, "/proc/locks")) {
        path = fake.path[fake.opens < fake.lists ? fake.opens : fake.lists - 1];
        fake.opens++;
    }
    return (int) syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/*
 * Replace open(2), for the library too.  The library calls open64() where files may be too large for an off_t of this
 * program.
 */
int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_listed(path, flags, args);
    va_end(args);
    return fd;
}

#ifdef __GLIBC__
int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_listed(path, flags | O_LARGEFILE, args);
    va_end(args);
    return fd;
}
#endif

/* A lock of the file, as the system lists it. */
struct line {
    unsigned major, minor;
    uint64_t inode;
};

static int find_line(const char *path, struct line *line)
{
    struct stat st;
    char text[256];
    int found = 0;
    FILE *list = fopen("/proc/locks", "re");
    if (!list || stat(path, &st) != 0)
        return 0;
    while (!found && fgets(text, sizeof text, list))
        found = sscanf(text, "%*s FLOCK %*s %*s %*s %x:%x:%" SCNu64, &line->major, &line->minor, &line->inode) == 3 &&
                line->inode == st.st_ino;
    fclose(list);
    return found;
}

/*
 * Makes the next list: so many locks of other files, whose inodes begin with this number.  If there is a line, the list
 * ends with it.
 */
static void list_locks(int count, uint64_t inode, const struct line *line)
{
    char *path = fake.path[fake.lists++];
    snprintf(path, sizeof fake.path[0], "%s%d", scratch("list"), fake.lists);
    FILE *list = fopen(path, "we");
    ck_assert_ptr_nonnull(list);
    for (int i = 0; i < count; i++)
        fprintf(list, "%d: FLOCK  ADVISORY  WRITE %d 00:01:%" PRIu64 " 0 EOF\n", i + 1, 1000 + i, inode + (unsigned) i);
    if (line)
        fprintf(list, "%d: FLOCK  ADVISORY  WRITE 0 %02x:%02x:%" PRIu64 " 0 EOF\n", count + 1, line->major, line->minor,
                line->inode);
    fclose(list);
}

static void no_lists(void)
{
    fake.lists = fake.opens = 0;
}

static int ask(const struct filelock *lock)
{
    struct filelock_owner owner = { .size = sizeof owner };
    fake.opens = 0;
    return filelock_owner(lock, &owner);
}

static const struct kind *flock_kind(void)
{
    for (int i = 0; i < kinds_count(); i++)
        if (kind_at(i)->kind == FILELOCK_KIND_FLOCK)
            return kind_at(i);
    return NULL;
}

/* ---- The list of locks ---------------------------------------------------------------------------- */

#define MANY 200 /* the list does not come in a single piece */

/* Returns a handle of a free lock, and stores how the system lists its file; NULL where it does not. */
static struct filelock *new_listed(struct line *line)
{
    if (!flock_kind())
        return NULL;
    struct filelock *lock = new_lock(flock_kind(), scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    int found = find_line(scratch("lock"), line);
    EXPECT(filelock_release(lock), 0);
    if (found && ask(lock) == -ENOENT)
        return lock;
    filelock_free(lock);
    return NULL;
}

START_TEST(test_list_unchanged)
{
    struct line line;
    struct filelock *lock = new_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    list_locks(3, 1, NULL);
    EXPECT(ask(lock), -ENOENT);
    ck_assert_int_eq(fake.opens, 1); /* the list comes in a single piece */
    no_lists();
    list_locks(MANY, 1, NULL);
    EXPECT(ask(lock), -ENOENT);
    ck_assert_int_eq(fake.opens, 2);
    no_lists();
    filelock_free(lock);
}
END_TEST

START_TEST(test_list_has_holder)
{
    struct line line;
    struct filelock *lock = new_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    list_locks(MANY, 1, &line);
    EXPECT(ask(lock), 0);
    ck_assert_int_eq(fake.opens, 1);
    no_lists();
    list_locks(MANY, 1, NULL); /* a lock that ended in the meantime has hidden the line */
    list_locks(MANY - 1, 1, &line);
    EXPECT(ask(lock), 0);
    ck_assert_int_eq(fake.opens, 2);
    no_lists();
    filelock_free(lock);
}
END_TEST

START_TEST(test_list_changes)
{
    struct line line;
    struct filelock *lock = new_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    for (int i = 0; i < LISTS; i++)
        list_locks(MANY, (unsigned) i + 1, NULL);
    EXPECT(ask(lock), -ENOENT);
    ck_assert_int_ge(fake.opens, 3);
    ck_assert_int_le(fake.opens, 4);
    no_lists();
    list_locks(MANY, 1, NULL);
    list_locks(MANY, 2, NULL); /* and the list stays like this */
    EXPECT(ask(lock), -ENOENT);
    ck_assert_int_eq(fake.opens, 3);
    no_lists();
    filelock_free(lock);
}
END_TEST

/* ---- Record locks of the process that asks --------------------------------------------------------- */

static const struct {
    int flags;
    short type;
} ways[] = { { O_RDWR, F_WRLCK }, { O_RDONLY, F_RDLCK }, { O_WRONLY, F_WRLCK } };

#define WAYS ((int) (sizeof ways / sizeof *ways))

static int lock_record(int fd, short type)
{
    struct flock record = { .l_type = type, .l_whence = SEEK_SET };
    return fcntl(fd, F_SETLK, &record);
}

/* Returns a descriptor of the file, on which this process has a record lock. */
static int record_locked(const char *path, int way)
{
    int fd = open(path, ways[way].flags | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(lock_record(fd, ways[way].type), 0);
    return fd;
}

static void expect_record_kept(const char *path)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        _exit(fd < 0 || lock_record(fd, F_WRLCK) == 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "the record lock was lost");
}

/* Fails the test unless questions leave this process its record lock. */
static void expect_undisturbed(const struct filelock *lock, const char *path)
{
    char text[256];
    EXPECT(ask(lock), 0);
    expect_record_kept(path);
    filelock_describe(lock, -ETIMEDOUT, text, sizeof text);
    ck_assert_msg(strstr(text, "held by ") != NULL, "%s", text);
    expect_record_kept(path);
}

START_TEST(test_marker_with_record_lock)
{
    const struct kind *kind = kind_at(_i / WAYS);
    int way = _i % WAYS;
    if (kind->can & CAN_KEEP_FILE)
        return;
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct peer *peer = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    int fd = record_locked(scratch("lock"), way);
    expect_undisturbed(lock, scratch("lock"));
    struct filelock_owner owner = { .size = sizeof owner };
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, ways[way].flags == O_WRONLY ? 0 : peer_pid(peer));
    close(fd);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, peer_pid(peer));
    filelock_free(lock);
}
END_TEST

/* A marker that names no process is looked at too, for the reason why it is held. */
START_TEST(test_empty_marker_with_record_lock)
{
    for (int i = 0; i < kinds_count(); i++) {
        if (kind_at(i)->can & CAN_KEEP_FILE)
            continue;
        struct filelock *lock = new_lock(kind_at(i), scratch("lock"), 0);
        make_file(scratch("lock"), 0644, "");
        int fd = record_locked(scratch("lock"), _i);
        expect_undisturbed(lock, scratch("lock"));
        close(fd);
        filelock_free(lock);
    }
}
END_TEST

START_TEST(test_lock_file_with_record_lock)
{
    struct line line;
    struct filelock *lock = new_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    struct peer *peer = peer_with(flock_kind(), scratch("lock"), FILELOCK_RECORD_OWNER);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    int fd = record_locked(scratch("lock"), _i);
    list_locks(1, 1, &line); /* the line names no process, so the record is looked at */
    expect_undisturbed(lock, scratch("lock"));
    no_lists();
    close(fd);
    filelock_free(lock);
}
END_TEST

/* ---- FILELOCK_UNLINK ------------------------------------------------------------------------------- */

/* Adds another line of the file to the last list: of the holder or of a waiter. */
static void list_again(const struct line *line, const char *what)
{
    FILE *list = fopen(fake.path[fake.lists - 1], "ae");
    ck_assert_ptr_nonnull(list);
    fprintf(list, "9999: %s  ADVISORY  WRITE 0 %02x:%02x:%" PRIu64 " 0 EOF\n", what, line->major, line->minor,
            line->inode);
    fclose(list);
}

/* Returns a lock that is held, and that removes its file; NULL where holders are not listed. */
static struct filelock *hold_listed(struct line *line)
{
    struct filelock *lock = new_listed(line);
    if (!lock)
        return NULL;
    filelock_free(lock);
    lock = new_lock(flock_kind(), scratch("lock"), FILELOCK_UNLINK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    return lock;
}

/* Releases and frees the lock, beside the lists.  Returns how often they were read. */
static int release_beside_lists(struct filelock *lock)
{
    fake.opens = 0;
    EXPECT(filelock_release(lock), 0);
    int opens = fake.opens;
    no_lists();
    filelock_free(lock);
    return opens;
}

/*
 * A line may come twice, because the list grew between two pieces.  It is only one lock, so the file is not left for
 * it.
 */
START_TEST(test_list_repeats)
{
    struct line line;
    struct filelock *lock = hold_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    list_locks(1, 1, &line);
    list_again(&line, "FLOCK");
    ck_assert_int_eq(release_beside_lists(lock), 1);
    ck_assert(!path_exists(scratch("lock")));
}
END_TEST

START_TEST(test_long_list_has_waiter)
{
    struct line line;
    struct filelock *lock = hold_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    list_locks(800, 1, &line);
    list_again(&line, "-> FLOCK");
    ck_assert_int_eq(release_beside_lists(lock), 1);
    ck_assert_msg(path_exists(scratch("lock")), "it was removed from under a waiter");
}
END_TEST

/* A lock that ends between two pieces of the list hides the waiter in one pass. */
START_TEST(test_waiter_is_hidden_once)
{
    struct line line;
    struct filelock *lock = hold_listed(&line);
    if (!lock)
        SKIP("holders cannot be known here");
    list_locks(MANY, 1, &line);
    list_locks(MANY, 1, &line);
    list_again(&line, "-> FLOCK");
    ck_assert_int_eq(release_beside_lists(lock), 2);
    ck_assert_msg(path_exists(scratch("lock")), "it was removed from under a waiter");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("owner, Linux");
    TCase *tcase = add_case(suite, "list");
    tcase_add_test(tcase, test_list_unchanged);
    tcase_add_test(tcase, test_list_has_holder);
    tcase_add_test(tcase, test_list_changes);
    tcase_add_test(tcase, test_list_repeats);
    tcase_add_test(tcase, test_long_list_has_waiter);
    tcase_add_test(tcase, test_waiter_is_hidden_once);
    tcase = add_case(suite, "record locks");
    tcase_add_loop_test(tcase, test_marker_with_record_lock, 0, WAYS * kinds_count());
    tcase_add_loop_test(tcase, test_empty_marker_with_record_lock, 0, WAYS);
    tcase_add_loop_test(tcase, test_lock_file_with_record_lock, 0, WAYS);
    return suite;
}
