/* SPDX-License-Identifier: MIT
 *
 * test_questions.c - what a handle tells of itself and of the holder, and how errors read.
 */
#include "peers.h"
#include "testing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int owner_of(const struct filelock *lock, struct filelock_owner *owner)
{
    memset(owner, 0, sizeof *owner);
    owner->size = sizeof *owner;
    return filelock_owner(lock, owner);
}

/* True if the system can name holders at all.  Elsewhere -ENOTSUP is the right answer. */
static int owners_known(const struct filelock *lock)
{
    struct filelock_owner owner;
    return owner_of(lock, &owner) != -ENOTSUP;
}

START_TEST(test_simple_questions)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    ck_assert_int_eq(filelock_kind(lock), kind->kind);
    ck_assert_str_eq(filelock_kind_name(filelock_kind(lock)), kind->name);
    ck_assert_str_eq(filelock_path(lock), scratch("lock"));
    for (int held = 0; held < 2; held++) {
        ck_assert_int_eq(filelock_held(lock), held);
        ck_assert_uint_eq(filelock_depth(lock), (unsigned) held);
        EXPECT(filelock_check(lock), held ? 0 : -EPERM);
        if (kind->can & CAN_TELL_FD)
            ck_assert_int_eq(filelock_fd(lock) >= 0, held);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    }
    EXPECT(filelock_release_all(lock), 0);
    ck_assert_int_eq(filelock_fd(lock), -1);
    filelock_free(lock);
}
END_TEST

/* Kinds whose locks last until they are released. */
START_TEST(test_lasting)
{
    int64_t ms = 4711;
    uint64_t token = 4711;
    char text[2048], want[2048];
    NEEDS(kind_at(_i), CAN_LAST);
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    EXPECT(filelock_remaining(NULL, &ms), -EINVAL);
    EXPECT(filelock_remaining(lock, NULL), -EINVAL);
    EXPECT(filelock_remaining(lock, &ms), -EPERM);
    filelock_describe(lock, -EPERM, text, sizeof text);
    snprintf(want, sizeof want, "cannot tell how long it stays held: %s: not held by this thread", scratch("lock"));
    ck_assert_str_eq(text, want);
    EXPECT(filelock_token(NULL, &token), -EINVAL);
    EXPECT(filelock_token(lock, NULL), -EINVAL);
    ck_assert(filelock_lost(NULL) == FILELOCK_NO_WAITABLE);
    ck_assert_int_eq(ms, 4711);
    for (int held = 0; held < 2; held++) {
        EXPECT(filelock_remaining(lock, &ms), held ? 0 : -EPERM);
        ck_assert(!held || ms == INT64_MAX);
        EXPECT(filelock_token(lock, &token), -ENOTSUP);
        ck_assert_uint_eq(token, 4711);
        ck_assert(filelock_lost(lock) == FILELOCK_NO_WAITABLE);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    }
    EXPECT(filelock_token(lock, &token), -ENOTSUP);
    filelock_describe(lock, -ENOTSUP, text, sizeof text);
    snprintf(want, sizeof want, "cannot tell the fencing token of %s: %s locks have none", scratch("lock"),
             kind_at(_i)->name);
    ck_assert_str_eq(text, want);
    filelock_free(lock);
}
END_TEST

START_TEST(test_break)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    int markers = !(kind->can & CAN_KEEP_FILE);
    EXPECT(filelock_break(lock), markers ? -ENOENT : -ENOTSUP);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_break(lock), markers ? 0 : -ENOTSUP);
    if (!markers)
        expect_taken(kind, scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* ---- Owners --------------------------------------------------------------------------------- */

START_TEST(test_owner_arguments)
{
    struct {
        struct filelock_owner owner;
        char tail[32];
    } later;
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    EXPECT(filelock_owner(lock, NULL), -EINVAL);
    memset(&later, 0, sizeof later);
    EXPECT(filelock_owner(lock, &later.owner), -EINVAL); /* size 0 */
    later.owner.size = sizeof(size_t);
    EXPECT(filelock_owner(lock, &later.owner), -EINVAL);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    later.owner.size = sizeof later;
    int result = filelock_owner(lock, &later.owner);
    ck_assert_msg(result == 0 || result == -ENOTSUP, "%s", result_name(result));
    ck_assert_uint_eq(later.owner.size, sizeof later);
    filelock_free(lock);
}
END_TEST

START_TEST(test_no_owner)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_TELL_HOLDER);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner;
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    EXPECT(owner_of(lock, &owner), -ENOENT); /* no file */
    ck_assert(!path_exists(scratch("lock")));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    memset(&owner, 0x55, sizeof owner);
    struct filelock_owner before = owner;
    before.size = owner.size = sizeof owner;
    EXPECT(filelock_owner(lock, &owner), -ENOENT); /* a file that is not locked */
    ck_assert_msg(!memcmp(&before, &owner, sizeof owner), "the out parameter was written on failure");
    filelock_free(lock);
}
END_TEST

START_TEST(test_owner_is_self)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_TELL_HOLDER);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner;
    char command[64];
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(owner_of(lock, &owner), 0);
    ck_assert_int_eq(owner.local, 1);
    if (kind->can & CAN_NAME_PID) {
        command_of(own_pid(), command, sizeof command);
        ck_assert_int_eq(owner.pid, own_pid());
        ck_assert_int_eq(owner.alive, 1);
        ck_assert_str_eq(owner.command, command);
        ck_assert_str_ne(owner.host, "");
    } else {
        ck_assert_int_eq(owner.pid, 0);
        ck_assert_str_eq(owner.command, "");
        ck_assert_int_eq(owner.alive, -1);
    }
    ck_assert_int_eq(filelock_held(lock), 1);
    expect_taken(kind, scratch("lock")); /* asking disturbed nothing */
    filelock_free(lock);
}
END_TEST

static void expect_owner(const struct filelock *lock, int64_t pid)
{
    struct filelock_owner owner;
    EXPECT(owner_of(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, pid);
    ck_assert_int_eq(owner.alive, 1);
    ck_assert_int_eq(owner.local, 1);
    ck_assert_str_ne(owner.command, "");
}

START_TEST(test_owner_is_another)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_NAME_PID);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    struct peer *peer = peer_with(kind, scratch("lock"), 0), *waiter = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    peer_send(waiter, "acquire a exclusive -1");
    wait_for_queue(kind, scratch("lock"), 1);
    expect_owner(lock, peer_pid(peer)); /* and not the waiter */
    PEER_SAYS(peer, "0", "release a");
    PEER_ANSWERS(waiter, "0");
    expect_owner(lock, peer_pid(waiter));
    peer_kill(waiter);
    struct filelock_owner owner;
    int result = owner_of(lock, &owner);
    ck_assert_msg(result == -ENOENT || (result == 0 && owner.alive == 0), "%s", result_name(result));
    filelock_free(lock);
}
END_TEST

START_TEST(test_owner_of_shared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE | CAN_TELL_HOLDER);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner;
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    struct peer *one = peer_with(kind, scratch("lock"), 0), *other = peer_with(kind, scratch("lock"), 0);
    PEER_SAYS(one, "0", "acquire a shared 0");
    PEER_SAYS(other, "0", "acquire a shared 0");
    EXPECT(owner_of(lock, &owner), 0);
    if (kind->can & CAN_NAME_PID)
        ck_assert(owner.pid == peer_pid(one) || owner.pid == peer_pid(other));
    filelock_free(lock);
}
END_TEST

START_TEST(test_owner_of_range)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_RANGE | CAN_TELL_HOLDER);
    struct filelock_options options = options_of(kind);
    struct filelock_owner owner;
    options.range_start = 100;
    options.range_length = 10;
    struct filelock *lock = new_lock_with(&options, scratch("lock"));
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    struct peer *peer = peer_start();
    static const struct {
        int start, length, result;
    } rows[] = { { 0, 100, -ENOENT }, { 110, 0, -ENOENT }, { 0, 101, 0 }, { 109, 1, 0 }, { 0, 0, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PEER_SAYS(peer, "0", "new a kind=%d start=%d length=%d path=%s", kind->kind, rows[i].start, rows[i].length,
                  scratch("lock"));
        PEER_SAYS(peer, "0", "acquire a exclusive 0");
        EXPECT(owner_of(lock, &owner), rows[i].result);
        PEER_SAYS(peer, "0", "free a");
    }
    filelock_free(lock);
}
END_TEST

/* ---- Records -------------------------------------------------------------------------------- */

START_TEST(test_record)
{
    const struct kind *kind = kind_at(_i);
    char text[1025], again[1025], *end;
    NEEDS(kind, CAN_LAST); /* the record of a lease is another: test_lease.c */
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    long length = read_file(scratch("lock"), text, sizeof text);
    ck_assert_int_gt(length, 0);
    ck_assert_int_eq(strtoll(text, &end, 10), own_pid());
    ck_assert_int_eq(*end, '\n');
    char *host = end + 1;
    size_t host_length = strcspn(host, "\n");
    ck_assert_uint_gt(host_length, 0);
    char *token = host + host_length + 1;
    ck_assert_uint_eq(strspn(token, "0123456789"), strcspn(token, "\n"));
    ck_assert_int_eq(text[length - 1], '\n');
    ck_assert_msg(*token == '\0' || strchr(token, '\n') == text + length - 1, "more than three lines");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_eq(read_file(scratch("lock"), again, sizeof again), length);
    ck_assert_str_eq(text, again);
    EXPECT(filelock_release(lock), 0);
    ck_assert_int_le(read_file(scratch("lock"), text, sizeof text), 0); /* only while it is held */
    filelock_free(lock);
}
END_TEST

/* A record replaces all that was in the file. */
START_TEST(test_record_replaces)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    char text[2048], prefix[32], *record = text;
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(write_file(scratch("lock"), text, sizeof text), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    long length = read_file(scratch("lock"), text, sizeof text);
    snprintf(prefix, sizeof prefix, "%lld\n", (long long) own_pid());
    ck_assert_int_lt(length, 1025);
    record += !(kind->can & CAN_BE_REPLACED) && *text == '\n'; /* LockFileEx keeps readers from the first byte */
    ck_assert_msg(!strncmp(record, prefix, strlen(prefix)) && !strchr(text, 'x'), "the record is %s", text);
    filelock_free(lock);
}
END_TEST

START_TEST(test_record_not_shared)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    char text[64];
    ck_assert_int_eq(write_file(scratch("lock"), "mine", 4), 0);
    struct filelock *lock = new_lock(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
    EXPECT(filelock_release(lock), 0);
    filelock_free(lock);
    ck_assert_int_eq(read_file(scratch("lock"), text, sizeof text), 4);
    ck_assert_str_eq(text, "mine");
}
END_TEST

START_TEST(test_owner_by_record)
{
    const struct kind *kind = kind_at(_i);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner;
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    struct peer *peer = peer_with(kind, scratch("lock"), FILELOCK_RECORD_OWNER);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(owner_of(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, peer_pid(peer));
    ck_assert_int_eq(owner.alive, 1);
    ck_assert_int_eq(owner.local, 1);
    ck_assert_str_ne(owner.host, "");
    PEER_SAYS(peer, "0", "release a");
    EXPECT(owner_of(lock, &owner), kind->can & CAN_TELL_HOLDER ? -ENOENT : -ENOTSUP);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    peer_kill(peer); /* the record stays, but is not believed */
    int result = owner_of(lock, &owner);
    ck_assert_msg(result == -ENOENT || result == -ENOTSUP || (result == 0 && owner.alive == 0), "%s",
                  result_name(result));
    filelock_free(lock);
}
END_TEST

/* A record that an earlier holder left, or that is nonsense, names no owner. */
START_TEST(test_record_left_behind)
{
    static const char *const texts[] = { "999999999\nnowhere\n", "nonsense", "1", "-5\nhost\n", "\n\n\n", "0\nh\n" };
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE | CAN_TELL_HOLDER);
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    struct filelock_owner owner;
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_int_eq(write_file(scratch("lock"), texts[i], strlen(texts[i])), 0);
        EXPECT(owner_of(lock, &owner), -ENOENT);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(owner_of(lock, &owner), 0);
        if (kind->can & CAN_NAME_PID)
            ck_assert_int_eq(owner.pid, own_pid());
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
}
END_TEST

/* ---- Words ---------------------------------------------------------------------------------- */

static void expect_sentence(const struct filelock *lock, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void expect_sentence(const struct filelock *lock, int error, const char *format, ...)
{
    char wanted[4096], found[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wanted, sizeof wanted, format, arguments);
    va_end(arguments);
    size_t length = filelock_describe(lock, error, found, sizeof found);
    ck_assert_str_eq(found, wanted);
    ck_assert_uint_eq(length, strlen(wanted));
}

START_TEST(test_describe_timeouts)
{
    static const struct {
        int64_t timeout_ms;
        const char *words;
    } rows[] = { { 0, " at once" }, { 1, " within 0.001 s" }, { 20, " within 0.02 s" }, { 100, " within 0.1 s" } };
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    char holder[128], command[64];
    struct filelock *lock = new_lock(kind, path, 0);
    struct peer *peer = peer_with(kind, path, 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    command_of(peer_pid(peer), command, sizeof command);
    snprintf(holder, sizeof holder, "held by pid %lld (%s)", (long long) peer_pid(peer), command);
    if (!(kind->can & CAN_NAME_PID) || !owners_known(lock))
        snprintf(holder, sizeof holder, "held by another process");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, rows[i].timeout_ms), -ETIMEDOUT);
        expect_sentence(lock, -ETIMEDOUT, "cannot acquire %s%s: %s", path, rows[i].words, holder);
    }
    if (kind->can & CAN_SHARE) {
        EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -ETIMEDOUT);
        expect_sentence(lock, -ETIMEDOUT, "cannot acquire %s shared at once: %s", path, holder);
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_describe_whole_seconds)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("lock");
    struct filelock *lock = new_lock(kind, path, 0);
    struct peer *peer = peer_with(kind, path, FILELOCK_RECORD_OWNER);
    char command[64];
    if (!owners_known(lock))
        SKIP("holders cannot be known here");
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    command_of(peer_pid(peer), command, sizeof command);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 1000), -ETIMEDOUT);
    expect_sentence(lock, -ETIMEDOUT, "cannot acquire %s within 1 s: held by pid %lld (%s)", path,
                    (long long) peer_pid(peer), command);
    filelock_free(lock);
}
END_TEST

START_TEST(test_describe_other_errors)
{
    const struct kind *kind = kind_at(_i);
    const char *path = scratch("nowhere/lock");
    struct filelock *lock = new_lock(kind, path, 0), *other = new_lock(kind, scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ENOENT);
    expect_sentence(lock, -ENOENT, "cannot acquire %s: its directory does not exist", path);
    expect_sentence(lock, -EPERM, "cannot acquire %s: the system does not permit it", path);
    expect_sentence(lock, -ELOOP, "cannot acquire %s: the path is a symbolic link", path);
    expect_sentence(lock, -EOVERFLOW, "cannot acquire %s: its range ends beyond what can be locked here", path);
    EXPECT(filelock_release(lock), -EPERM);
    expect_sentence(lock, -EPERM, "cannot release %s: not held by this thread", path);
    EXPECT(filelock_check(lock), -EPERM);
    expect_sentence(lock, -EPERM, "cannot check %s: not held by this thread", path);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TIMEOUT_DEFAULT - 1), -EINVAL);
    expect_sentence(lock, -EINVAL, "cannot acquire %s: a bad argument or option", path);
    filelock_free(lock);
    lock = new_lock(kind, path, FILELOCK_ANY_THREAD | FILELOCK_FOLLOW_SYMLINK);
    expect_sentence(lock, -EPERM, "cannot use %s: not held, or not permitted", path);
    expect_sentence(lock, -ELOOP, "cannot use %s: its path has too many symbolic links", path);
    (void) filelock_break(lock);
    expect_sentence(lock, -EPERM, "cannot break %s: the system does not permit it", path);
    EXPECT(filelock_release(lock), -EPERM);
    expect_sentence(lock, -EPERM, "cannot release %s: not held", path);
    filelock_free(lock);

    path = scratch("lock");
    lock = new_lock(kind, path, 0);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
    expect_sentence(lock, -EDEADLK, "cannot acquire %s: this thread holds it through another handle", path);
    filelock_free(other);
    if (kind->can & CAN_SHARE) {
        EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EDEADLK);
        expect_sentence(lock, -EDEADLK, "cannot acquire %s: it is held shared, which has to be released first", path);
        EXPECT(filelock_break(lock), -ENOTSUP);
        expect_sentence(lock, -ENOTSUP, "cannot break %s: %s locks have no marker to remove", path, kind->name);
    } else {
        EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -EINVAL);
        expect_sentence(lock, -EINVAL, "cannot acquire %s shared: %s locks are only exclusive", path, kind->name);
    }
    filelock_free(lock);
}
END_TEST

/* There is a sentence for every error, whatever was asked before.  It has no full stop and no newline. */
START_TEST(test_describe_every_error)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("lock"), 0);
    char text[4096];
    int error;
    for (int i = 0; named_result(i, &error); i++) {
        size_t length = filelock_describe(lock, error, text, sizeof text);
        ck_assert_uint_eq(length, strlen(text));
        ck_assert_uint_gt(length, 0);
        ck_assert_msg(!strchr(text, '\n') && text[length - 1] != '.', "%s: %s", result_name(error), text);
        ck_assert_msg(error == 0 || strstr(text, scratch("lock")), "%s: %s", result_name(error), text);
        length = filelock_describe(NULL, error, text, sizeof text);
        ck_assert_str_eq(text, filelock_strerror(error));
        ck_assert_uint_eq(length, strlen(text));
    }
    filelock_free(lock);
}
END_TEST

START_TEST(test_describe_is_cut)
{
    struct filelock *lock = new_lock(kind_at(_i), scratch("nowhere/lock"), 0);
    char whole[4096], cut[4096];
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOENT);
    size_t length = filelock_describe(lock, -ENOENT, whole, sizeof whole);
    ck_assert_uint_eq(filelock_describe(lock, -ENOENT, NULL, 0), length);
    ck_assert_uint_eq(filelock_describe(NULL, -ENOENT, NULL, 0), strlen(filelock_strerror(-ENOENT)));
    for (size_t size = 1; size <= length + 2; size++) {
        memset(cut, '#', sizeof cut);
        ck_assert_uint_eq(filelock_describe(lock, -ENOENT, cut, size), length);
        size_t kept = size <= length ? size - 1 : length;
        ck_assert_mem_eq(cut, whole, kept);
        ck_assert_int_eq(cut[kept], '\0');
        ck_assert_int_eq(cut[size], '#');
    }
    cut[0] = '#';
    filelock_describe(lock, -ENOENT, cut, 0);
    ck_assert_int_eq(cut[0], '#');
    filelock_free(lock);
}
END_TEST

START_TEST(test_strerror)
{
    int error, other;
    for (int i = 0; named_result(i, &error); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s", filelock_strerror(error));
        ck_assert_msg(*text && text[strlen(text) - 1] != '.', "%s: %s", result_name(error), text);
        for (int j = 0; j < i && named_result(j, &other); j++)
            ck_assert_msg(strcmp(text, filelock_strerror(other)) != 0, "%s and %s are both: %s", result_name(error),
                          result_name(other), text);
    }
    static const int odd[] = { -99999, 99999, INT32_MIN, INT32_MAX, 1 };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ck_assert_msg(filelock_strerror(odd[i]) && *filelock_strerror(odd[i]), "nothing for %d", odd[i]);
}
END_TEST

/* ---- Suite ---------------------------------------------------------------------------------- */

static void add_owners(Suite *suite)
{
    TCase *tcase = add_case(suite, "owners");
    ADD_FOR_KINDS(tcase, test_owner_arguments);
    ADD_FOR_KINDS(tcase, test_no_owner);
    ADD_FOR_KINDS(tcase, test_owner_is_self);
    ADD_FOR_KINDS(tcase, test_owner_is_another);
    ADD_FOR_KINDS(tcase, test_owner_of_shared);
    ADD_FOR_KINDS(tcase, test_owner_of_range);
    ADD_FOR_KINDS(tcase, test_record);
    ADD_FOR_KINDS(tcase, test_record_replaces);
    ADD_FOR_KINDS(tcase, test_record_not_shared);
    ADD_FOR_KINDS(tcase, test_owner_by_record);
    ADD_FOR_KINDS(tcase, test_record_left_behind);
}

static void add_words(Suite *suite)
{
    TCase *tcase = add_case(suite, "words");
    tcase_add_test(tcase, test_strerror);
    ADD_FOR_KINDS(tcase, test_describe_timeouts);
    ADD_FOR_KINDS(tcase, test_describe_whole_seconds);
    ADD_FOR_KINDS(tcase, test_describe_other_errors);
    ADD_FOR_KINDS(tcase, test_describe_every_error);
    ADD_FOR_KINDS(tcase, test_describe_is_cut);
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("questions");
    TCase *tcase = add_case(suite, "handle");
    ADD_FOR_KINDS(tcase, test_simple_questions);
    ADD_FOR_KINDS(tcase, test_lasting);
    ADD_FOR_KINDS(tcase, test_break);
    add_owners(suite);
    add_words(suite);
    return suite;
}
