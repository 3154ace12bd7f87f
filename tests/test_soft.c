/* SPDX-License-Identifier: MIT
 *
 * test_soft.c - soft locks: what a marker says, and which markers may be taken over.
 *
 * The rules are those of protocol 1 of Python's filelock.  Markers are built by hand (markers.h).
 */
#include "markers.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t ms_since(int64_t start)
{
    return (now_ns() - start) / 1000000;
}

/* ---- The library's own record ----------------------------------------------------------------- */

START_TEST(test_record)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        expect_nothing_beside(scratch("lock"));
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
        ck_assert(path_exists(scratch("lock")));
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("lock"));
    }
    filelock_free(lock);
}
END_TEST

/* A lock that was taken over from a dead owner is like any other. */
START_TEST(test_record_after_takeover)
{
    NEEDS_SOFT();
    put_marker(scratch("lock"), marker_record(dead_pid()));
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_check(lock), 0);
    expect_contents(scratch("lock"), marker_record(own_pid()));
    expect_nothing_beside(scratch("lock"));
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* The path never names a part of a record: a process that looks finds all of it. */
START_TEST(test_record_is_whole)
{
    NEEDS_SOFT();
    char found[MARKER_SIZE];
    int64_t end = now_ns() + (int64_t) scaled(300, 50) * 1000000;
    long seen = 0;
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    for (int tries = 0; tries < 20 && seen == 0; tries++) { /* the peer may be done before the test looks */
        peer_send(peer, "work a witness=%s slot=0 count=%d", scratch("witness"), scaled(2000, 200));
        while (now_ns() < end || (seen == 0 && peer_silent(peer))) {
            long length = read_file(scratch("lock"), found, sizeof found);
            if (length < 0)
                continue;
            seen++;
            ck_assert_str_eq(found, marker_record(peer_pid(peer)));
        }
        ck_assert_int_eq(strncmp(peer_answer(peer), "0 ", 2), 0);
    }
    ck_assert_int_gt(seen, 0);
}
END_TEST

/* The token of a process that began 5 clock ticks after another system did. */
#define FOREIGN_TOKEN "6277101735386680763835789423207666416102355444464034512901"

/* ---- Held, or stale --------------------------------------------------------------------------- */

#define HUNDRED "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static const char *const held[] = {
    "%1\n%3\n",
    "%1\n%3\n%4\n",
    "%1\n%3\n000%4\n", /* zeros before the number do not count */
    "%1\n%3\nabc\n",   /* a token that cannot be read proves nothing */
    "%1\n%3\n\n",
    "%2\nanother.host\n",
    "%2\nanother.host\n" FOREIGN_TOKEN "\n",
    "%2\n%3?pidns-1\n%5\n", /* another pid namespace */
    "%2\n%3.local\n",
    "%1\nanother.host\n" FOREIGN_TOKEN "\n",
    "%6\n%3\n", /* exists, and not every user may signal it */
    LEASE("%1", "%4", "lease", "30"),
    LEASE("%1", "%4", "lease", "1e+300"),
    LEASE("%1", "%4", "exclusive", "0.1"),
    LEASE("%1", "%4", "whatever", "0.1"),
    LEASE("%2", "%4", "whatever", "0.1"), /* it is not known what its holder was promised */
    "filelock/2\npid=%2\nhost=%3\nmode=shared\n",
    "%1", /* as dotlockfile -p writes it */
    "%1\n",
    "%1\r\n",
    "%6\n",
    "0", /* as lockfile(1) writes it */
    "0\n",
    "0\r\n",
    "%1\r\n%3\r\n%4\r\n",
    "%2\r\nanother.host\r\n",
    "%2\n\n", /* a host without a name is another host */
    "%2\na host\n",
    "%2\nh\xc3\xb6st\n",
    "%2\n" HUNDRED HUNDRED HUNDRED HUNDRED "\n",
    "filelock/2\npid=%2\nhost=another.host\nmode=lease\ntoken=1\nduration=30\nstart=5\n",
};

START_TEST(test_held)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    fill_marker(held[_i], text);
    put_marker(scratch("lock"), text);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    int64_t start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    EXPECT_TOOK(start, 20);
    ck_assert_msg(!filelock_held(lock), "held by a handle that got nothing");
    filelock_free(lock);
    expect_contents(scratch("lock"), text);
    expect_nothing_beside(scratch("lock"));
}
END_TEST

static const char *const stale[] = {
    "%2\n%3\n",
    "%2\n%3\n%4\n",
    "2147483647\n%3\n", /* a larger pid than the system gives */
    "%1\n%3\n%5\n",     /* the pid belongs to another process now */
    "%1\n%3\n1\n",
    "%1\n%3\n0\n",
    "%2\r\n%3\r\n%4\r\n",
    "%2\r\n%3\n",
    LEASE("%2", "%4", "lease", "3600"),
    LEASE("%1", "%5", "lease", "3600"),
    LEASE("%2", "%4", "exclusive", "3600"),
    "filelock/2\npid=%2\nhost=%3\nmode=exclusive\nstart=%4\n",
    "filelock/2\r\npid=%2\r\nhost=%3\r\nmode=exclusive\r\n",
    "%2", /* a pid alone */
    "%2\n",
    "%2\r\n",
};

START_TEST(test_stale)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    if (!*marker_token(own_pid()) && strstr(stale[_i], "%5"))
        SKIP("processes of the same pid cannot be told apart here");
    if (stale[_i][0] == '%' && !strchr(stale[_i], '3') && !tells_local_files())
        SKIP("another host may have written a pid here");
    int64_t took = GRACE_MS; /* the first try does not wait; a later try may be slow on a busy machine */
    for (int tries = 0; tries < 5 && took >= GRACE_MS; tries++) {
        fill_marker(stale[_i], text);
        put_marker(scratch("lock"), text);
        struct filelock *lock = new_soft(scratch("lock"), 0);
        int64_t start = now_ns();
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, tries > 0 ? PATIENCE_MS : FILELOCK_TRY), 0);
        took = tries > 0 ? ms_since(start) : GRACE_MS;
        expect_contents(scratch("lock"), marker_record(own_pid()));
        filelock_free(lock);
        expect_nothing_at(scratch("lock"));
    }
    ck_assert_int_lt(took, GRACE_MS);
}
END_TEST

/* A takeover succeeds without waiting, however many there were before. */
START_TEST(test_stale_again_and_again)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    char text[MARKER_SIZE];
    snprintf(text, sizeof text, "%s", marker_record(dead_pid()));
    for (int i = 0; i < 200; i++) {
        put_marker(scratch("lock"), text);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_release(lock), 0);
    }
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Files that are no markers ------------------------------------------------------------------- */

/* A size of 0 means the size of the string. */
static const struct shape {
    const char *text;
    size_t size;
} unknown[] = {
    { "\n", 0 },
    { "some text\n", 0 },
    { "lock me\n", 0 },
    { "00\n", 0 },
    { "0%2\n", 0 },
    { "0\n%3\n", 0 },
    { "2147483648\n%3\n", 0 },
    { "2147483648\n", 0 },
    { "99999999999999999999999999\n%3\n", 0 },
    { "-1\n%3\n", 0 },
    { "+%2\n%3\n", 0 },
    { " %2\n%3\n", 0 },
    { "%2 \n%3\n", 0 },
    { "x%2\n%3\n", 0 },
    { "0x10\n%3\n", 0 },
    { "\n%2\n%3\n", 0 },
    { "%2\n\t\n", 0 },
    { "%2\na host", 0 },
    { "%2\n%3\nabc", 0 },
    { "%2\n%3\n%4\n\n", 0 },
    { "%2\n%3\n%4\nmore\n", 0 },
    { "%2\n" HUNDRED HUNDRED HUNDRED HUNDRED, 0 },
    { "\0\0\0\0", 4 },
    { "1\nfilelock-strict-v1\0\n0\n\n", 25 }, /* nearly the sentinel */
    { "filelock/3\n", 0 },
    { "filelock/2\nnonsense\n", 0 },
    { "filelock/2\npid=0\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\n\n", 0 },
    { "filelock/2\npid=%2\nhost=\nmode=exclusive\n", 0 },
    { "filelock/2\nhost=%3\npid=%2\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=other", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=\nduration=1\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=0\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=0.0\nstart", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=-1\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=-", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=1e+999\n", 0 },
    { "filelock/2\npid=%2\nhost=%3\nmode=lease\ntoken=0a\nduration=1.\n", 0 },
    { LEASE("%2", "%4", "lease", "-1"), 0 },
    { LEASE("%2", "%4", "lease", "0"), 0 },
    { LEASE("%2", "%4", "lease", ".5"), 0 },
    { LEASE("%2", "%4", "lease", "1."), 0 },
    { LEASE("%2", "%4", "lease", "1e5"), 0 },
    { LEASE("%2", "%4", "lease", "1e+"), 0 },
    { LEASE("%2", "%4", "lease", "inf"), 0 },
    { LEASE("%2", "%4", "lease", "1e+999"), 0 },
};

static void put_shape(const struct shape *shape, const char *path)
{
    char text[MARKER_SIZE];
    if (shape->size) {
        put_marker_bytes(path, shape->text, shape->size);
    } else {
        fill_marker(shape->text, text);
        put_marker(path, text);
    }
}

/* Fails the test if a handle gets a lock by this file, or waits for it, or if the file changes. */
static void expect_no_marker(unsigned flags)
{
    static char before[MARKER_SIZE], after[MARKER_SIZE], said[4096];
    struct filelock *lock = new_soft(scratch("lock"), flags);
    struct filelock_owner owner = { .size = sizeof owner };
    long size = read_file(scratch("lock"), before, sizeof before);
    uint64_t identity = file_identity(scratch("lock"));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EEXIST);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EEXIST);
    filelock_describe(lock, -EEXIST, said, sizeof said);
    ck_assert_msg(strstr(said, scratch("lock")) && strstr(said, "not a lock file of this kind"), "%s", said);
    EXPECT(filelock_owner(lock, &owner), -EEXIST);
    EXPECT(filelock_break(lock), -EEXIST);
    filelock_free(lock);
    ck_assert_int_eq(read_file(scratch("lock"), after, sizeof after), size);
    ck_assert(memcmp(before, after, sizeof before) == 0 && file_identity(scratch("lock")) == identity);
    expect_nothing_beside(scratch("lock"));
}

START_TEST(test_unknown)
{
    NEEDS_SOFT();
    put_shape(&unknown[_i], scratch("lock"));
    expect_no_marker(0);
    expect_no_marker(FILELOCK_NEVER_BREAK);
}
END_TEST

/* Data of a user is no marker, even if it begins like a record. */
START_TEST(test_large_file)
{
    NEEDS_SOFT();
    static char bytes[10 << 20];
    char text[MARKER_SIZE];
    fill_marker("%2\n%3\n%4", text);
    for (int like_a_record = 0; like_a_record < 2; like_a_record++) {
        memset(bytes, '1', sizeof bytes);
        if (like_a_record)
            memcpy(bytes, text, strlen(text));
        put_marker_bytes(scratch("lock"), bytes, sizeof bytes);
        expect_no_marker(0);
        put_marker_bytes(scratch("lock"), bytes, 1025);
        expect_no_marker(0);
    }
}
END_TEST

/* If such a file comes while a caller waits, the wait ends with an error as soon as the file is seen. */
START_TEST(test_unknown_under_waiter)
{
    NEEDS_SOFT();
    static struct caller caller;
    put_marker(scratch("lock"), marker_record(own_pid()));
    put_marker(scratch("file"), "some text\n");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    ck_assert_int_eq(rename_over(scratch("file"), scratch("lock")), 0);
    EXPECT(end_call(&caller), -EEXIST);
    caller_end(&caller);
    filelock_free(lock);
    expect_contents(scratch("lock"), "some text\n");
}
END_TEST

/* ---- Torn records -------------------------------------------------------------------------------- */

/* Records as other programs write them.  A crash may leave only the beginning of a record. */
static const char *const whole[] = {
    "%2\n%3\n%4\n",
    LEASE("%2", "%4", "lease", "30.0"),
    LEASE("%2", "%4", "lease", "1e-05"),
    LEASE("%2", "%4", "lease", "0.25"),
    "filelock/2\npid=%2\nhost=%3\nmode=exclusive\nstart=%4\n",
};

/* No process has the marker open, and that is seen at once.  Slow builds try every seventh length. */
START_TEST(test_torn)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    fill_marker(whole[_i], text);
    size_t size = strlen(text), pid = strspn(text, "0123456789"), stride = (size_t) (7 / scaled(7, 1));
    for (size_t length = 0; length < size; length += stride) {
        if (length > 0 && length < pid)
            continue; /* the pid of another process, which may be alive */
        put_marker_bytes(scratch("lock"), text, length);
        int result = try_soft(scratch("lock"), FILELOCK_TRY);
        int unseen = result == -ETIMEDOUT && (!sees_all_openers() || !tells_local_files());
        ck_assert_msg(result == 0 || unseen, "%d bytes: %s", (int) length, result_name(result));
        if (result == 0)
            expect_nothing_at(scratch("lock"));
    }
}
END_TEST

/* ---- Markers that stay unchanged --------------------------------------------------------------- */

/*
 * Markers that must stay, or stay until they expire, although nothing proves their owners alive.  The first is renewed.
 */
static const struct patient patients[] = {
    { "renewed", LEASE("%1", "%4", "lease", "1"), 0, 0 },
    { "leased", LEASE("%1", "%4", "lease", "60"), 0, 0 },
    { "host", "%2\nanother.host\n", 0, 0 },
    { "never", "", FILELOCK_NEVER_BREAK, 0 },
    { "stale-never", "%2\n%3\n", FILELOCK_NEVER_BREAK, 0 },
    { "sentinel", NULL, 0, 0 },
    { "expired", LEASE("%1", "%4", "lease", "2.5"), 0, 2500 },
    { "short", LEASE("%1", "%4", "lease", "0.25"), 0, 250 },
};

#define PATIENTS ((int) (sizeof patients / sizeof *patients))

/* Waits for all of them at once, for two seconds and more. */
START_TEST(test_patience)
{
    NEEDS_SOFT();
    static const char sentinel[] = "1\nfilelock-strict-v1\0\n0\n";
    static struct waiter waiters[PATIENTS];
    put_marker_bytes(patient_path("sentinel"), sentinel, sizeof sentinel - 1);
    for (int i = 0; i < PATIENTS; i++)
        if (patients[i].text)
            put_patient(patients[i].name, patients[i].text);
    int64_t before = now_ns(), longest = 0;
    for (int i = 0; i < PATIENTS; i++)
        begin_patient(&waiters[i], &patients[i]);
    while (still_calling(&waiters[0].caller)) {
        nap_ms(300);
        ck_assert_int_eq(touch_file(patient_path("renewed")), 0);
        longest = now_ns() - before > longest ? now_ns() - before : longest;
        before = now_ns();
    }
    /* On a busy machine the first marker may have stayed unchanged for too long. */
    int late = longest / 1000000 > GRACE_MS * 3 / 4;
    if (late)
        waiter_end(&waiters[0]);
    for (int i = late ? 1 : 0; i < PATIENTS; i++)
        end_patient(&waiters[i], &patients[i]);
    if (late)
        SKIP("nothing was written for %d ms", (int) (longest / 1000000));
}
END_TEST

/* ---- Directories -------------------------------------------------------------------------------- */

START_TEST(test_directory)
{
    NEEDS_SOFT();
    ck_assert_int_eq(make_directory(scratch("lock")), 0);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EISDIR);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -EISDIR);
    ck_assert(path_exists(scratch("lock")));
    ck_assert_int_eq(remove_directory(scratch("lock")), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Flags and options --------------------------------------------------------------------------- */

START_TEST(test_never_break)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    fill_marker("%2\n%3\n", text);
    put_marker(scratch("lock"), text);
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_NEVER_BREAK);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 100), -ETIMEDOUT);
    expect_contents(scratch("lock"), text);
    EXPECT(filelock_break(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

START_TEST(test_break)
{
    NEEDS_SOFT();
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_break(lock), -ENOENT);
    EXPECT(filelock_break(NULL), -EINVAL);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ETIMEDOUT);
    EXPECT(filelock_break(lock), 0);
    ck_assert(!path_exists(scratch("lock")));
    EXPECT(filelock_break(lock), -ENOENT);
    PEER_SAYS(peer, "1", "held a");
    PEER_SAYS(peer, "-ESTALE", "check a");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    uint64_t identity = file_identity(scratch("lock"));
    PEER_SAYS(peer, "-ESTALE", "check a");
    PEER_SAYS(peer, "0", "release a");
    PEER_SAYS(peer, "0", "held a");
    ck_assert(file_identity(scratch("lock")) == identity);
    EXPECT(filelock_check(lock), 0);
    PEER_SAYS(peer, "-ETIMEDOUT", "acquire a exclusive 0");
    EXPECT(filelock_release(lock), 0);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

/* Other programs break the marker without asking.  Their own marker stays, whichever way our lock ends. */
START_TEST(test_replaced_under_us)
{
    NEEDS_SOFT();
    for (int way = 0; way < 3; way++) {
        struct filelock *lock = new_soft(scratch("lock"), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        ck_assert_int_eq(rename_over(scratch("lock"), scratch("aside")), 0);
        put_marker(scratch("lock"), "1\nanother.host\n");
        ck_assert_int_eq(remove_file(scratch("aside")), 0);
        EXPECT(filelock_check(lock), -ESTALE);
        if (way == 0)
            EXPECT(filelock_release(lock), 0);
        if (way == 1)
            EXPECT(filelock_release_all(lock), 0);
        filelock_free(lock);
        expect_contents(scratch("lock"), "1\nanother.host\n");
        ck_assert_int_eq(remove_file(scratch("lock")), 0);
    }
}
END_TEST

/* The directory goes away with the marker in it. */
START_TEST(test_directory_vanishes)
{
    NEEDS_SOFT();
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    struct filelock *lock = new_soft(scratch("folder/lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    remove_tree(scratch("folder"));
    if (path_exists(scratch("folder"))) {
        filelock_free(lock);
        SKIP("a directory stays here while a file in it is open");
    }
    EXPECT(filelock_check(lock), -ESTALE);
    EXPECT(filelock_release(lock), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOENT);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER), -ENOENT);
    filelock_free(lock);
    ck_assert(!path_exists(scratch("folder")));
}
END_TEST

/* If the directory goes away while a caller waits there, the wait ends with an error. */
START_TEST(test_directory_vanishes_under_waiter)
{
    NEEDS_SOFT();
    static struct caller caller;
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    put_marker(scratch("folder/lock"), "1\nanother.host\n");
    struct filelock *lock = new_soft(scratch("folder/lock"), 0);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    wait_for_sleep(&caller);
    ck_assert_int_eq(rename_over(scratch("folder"), scratch("moved")), 0);
    EXPECT(end_call(&caller), -ENOENT);
    caller_end(&caller);
    filelock_free(lock);
}
END_TEST

/* A caller that may make the directory anew gets the lock: no other process can find the marker that was moved away. */
START_TEST(test_directory_moves_under_waiter)
{
    NEEDS_SOFT();
    static struct caller caller;
    ck_assert_int_eq(make_directory(scratch("folder")), 0);
    put_marker(scratch("folder/lock"), "1\nanother.host\n");
    struct filelock *lock = new_soft(scratch("folder/lock"), FILELOCK_MAKE_PARENTS);
    caller_start(&caller);
    begin_acquire(&caller, lock, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    ck_assert_int_eq(rename_over(scratch("folder"), scratch("moved")), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(caller_call(&caller, CALL_CHECK, lock), 0);
    caller_end(&caller);
    expect_nothing_at(scratch("folder/lock"));
    expect_contents(scratch("moved/lock"), "1\nanother.host\n");
    filelock_free(lock);
}
END_TEST

START_TEST(test_make_parents)
{
    NEEDS_SOFT();
    struct filelock *plain = new_soft(scratch("a/b/c/lock"), 0);
    struct filelock *lock = new_soft(scratch("a/b/c/lock"), FILELOCK_MAKE_PARENTS);
    EXPECT(filelock_acquire(plain, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -ENOENT);
    ck_assert(!path_exists(scratch("a")));
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    expect_contents(scratch("a/b/c/lock"), marker_record(own_pid()));
    filelock_free(lock);
    expect_nothing_at(scratch("a/b/c/lock"));
    filelock_free(plain);
}
END_TEST

/* Flags of operating-system locks have no effect. */
START_TEST(test_other_flags)
{
    NEEDS_SOFT();
    static const unsigned each[] = { FILELOCK_UNLINK, FILELOCK_RECORD_OWNER, FILELOCK_RECORD_OWNER | FILELOCK_UNLINK };
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct filelock *lock = new_soft(scratch("lock"), each[i]);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(scratch("lock"), marker_record(own_pid()));
        EXPECT(filelock_release(lock), 0);
        EXPECT(filelock_check(lock), 0);
        EXPECT(filelock_release(lock), 0);
        expect_nothing_at(scratch("lock"));
        filelock_free(lock);
    }
}
END_TEST

START_TEST(test_shared_mode)
{
    NEEDS_SOFT();
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_TRY), -EINVAL);
    EXPECT(filelock_acquire(lock, FILELOCK_SHARED, FILELOCK_FOREVER), -EINVAL);
    expect_nothing_at(scratch("lock"));
    filelock_free(lock);
}
END_TEST

START_TEST(test_long_name)
{
    NEEDS_SOFT();
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    const char *path = scratch(name);
    for (int takeover = 0; takeover < 2; takeover++) {
        if (takeover)
            put_marker(path, marker_record(dead_pid()));
        struct filelock *lock = new_soft(path, 0);
        EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
        expect_contents(path, marker_record(own_pid()));
        filelock_free(lock);
        name[60] = '\0';
        expect_nothing_at(scratch(name)); /* nor any file whose name begins so */
    }
}
END_TEST

/* ---- Questions ------------------------------------------------------------------------------------ */

static const struct told {
    const char *text; /* a format for fill_marker() */
    int pid;          /* 0: none, 1: the own pid, 2: the pid in the marker's first line */
    int alive, local;
    const char *host; /* NULL: this host */
} told[] = {
    { "%1\n%3\n%4\n", 1, 1, 1, NULL },
    { "%1\n%3\n", 1, 1, 1, NULL },
    { "%1\n%3\n%5\n", 1, 0, 1, NULL },
    { "%2\n%3\n", 2, 0, 1, NULL },
    { "%2\nanother.host\n" FOREIGN_TOKEN "\n", 2, -1, 0, "another.host" },
    { "%1\n%3?pidns-1\n%4\n", 1, -1, 0, "?pidns-1" },
    { "", 0, -1, 0, "" },
    { "0\n", 0, -1, 0, "" },
};

START_TEST(test_owner)
{
    NEEDS_SOFT();
    const struct told *want = &told[_i];
    struct filelock_owner owner = { .size = sizeof owner };
    struct filelock *lock = new_soft(scratch("lock"), FILELOCK_NEVER_BREAK);
    char text[MARKER_SIZE], host[1024];
    EXPECT(filelock_owner(lock, &owner), -ENOENT);
    fill_marker(want->text, text);
    put_marker(scratch("lock"), text);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, want->pid ? atoll(text) : 0);
    ck_assert_int_eq(owner.alive, want->alive);
    ck_assert_int_eq(owner.local, want->local);
    snprintf(host, sizeof host, "%s%s", want->host && *want->host != '?' ? "" : marker_host(),
             want->host ? want->host : "");
    ck_assert_str_eq(owner.host, want->pid ? host : "");
    ck_assert_int_eq(*owner.command != '\0', want->alive == 1);
    filelock_free(lock);
}
END_TEST

START_TEST(test_owner_of_ours)
{
    NEEDS_SOFT();
    struct filelock_owner owner = { .size = sizeof owner };
    char wanted[256], said[512];
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    PEER_SAYS(peer, "0", "acquire a exclusive 0");
    struct filelock *lock = new_soft(scratch("lock"), 0);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, peer_pid(peer));
    ck_assert_int_eq(owner.alive, 1);
    ck_assert_int_eq(owner.local, 1);
    ck_assert_str_eq(owner.host, marker_host());
    ck_assert_str_ne(owner.command, "");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, 20), -ETIMEDOUT);
    snprintf(wanted, sizeof wanted, "held by pid %lld (%s)", (long long) peer_pid(peer), owner.command);
    filelock_describe(lock, -ETIMEDOUT, said, sizeof said);
    ck_assert_msg(strstr(said, wanted) != NULL, "'%s' is not in: %s", wanted, said);
    peer_kill(peer);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.alive, 0);
    ck_assert_str_eq(owner.command, "");
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT(filelock_owner(lock, &owner), 0);
    ck_assert_int_eq(owner.pid, own_pid());
    filelock_free(lock);
    expect_nothing_at(scratch("lock"));
}
END_TEST

/* ---- Suite ------------------------------------------------------------------------------------------ */

#define COUNT(array) ((int) (sizeof(array) / sizeof *(array)))

static void add_rules(Suite *suite)
{
    TCase *tcase = add_case(suite, "rules");
    tcase_add_loop_test(tcase, test_held, 0, COUNT(held));
    tcase_add_loop_test(tcase, test_stale, 0, COUNT(stale));
    tcase_add_test(tcase, test_stale_again_and_again);
    tcase_add_loop_test(tcase, test_unknown, 0, COUNT(unknown));
    tcase_add_test(tcase, test_large_file);
    tcase_add_test(tcase, test_unknown_under_waiter);
    tcase_add_loop_test(tcase, test_torn, 0, COUNT(whole));
    tcase_add_test(tcase, test_patience);
    tcase_add_test(tcase, test_directory);
}

static void add_handle(Suite *suite)
{
    TCase *tcase = add_case(suite, "handle");
    tcase_add_test(tcase, test_never_break);
    tcase_add_test(tcase, test_break);
    tcase_add_test(tcase, test_replaced_under_us);
    tcase_add_test(tcase, test_directory_vanishes);
    tcase_add_test(tcase, test_directory_vanishes_under_waiter);
    tcase_add_test(tcase, test_directory_moves_under_waiter);
    tcase_add_test(tcase, test_make_parents);
    tcase_add_test(tcase, test_other_flags);
    tcase_add_test(tcase, test_shared_mode);
    tcase_add_test(tcase, test_long_name);
    tcase_add_loop_test(tcase, test_owner, 0, COUNT(told));
    tcase_add_test(tcase, test_owner_of_ours);
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft");
    TCase *tcase = add_case(suite, "record");
    tcase_add_test(tcase, test_record);
    tcase_add_test(tcase, test_record_after_takeover);
    tcase_add_test(tcase, test_record_is_whole);
    add_rules(suite);
    add_handle(suite);
    return suite;
}
