/* SPDX-License-Identifier: MIT
 *
 * test_soft.c - soft locks: what a marker says, and who may take whose.
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

/* ---- What ours says --------------------------------------------------------------------------- */

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

/* A lock that took a dead one's place is no different. */
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

/* The path never names half a record: whoever looks finds all of it. */
START_TEST(test_record_is_whole)
{
    NEEDS_SOFT();
    char found[MARKER_SIZE];
    int64_t end = now_ns() + (int64_t)scaled(300, 50) * 1000000;
    long seen = 0;
    struct peer *peer = peer_with(soft_kind(), scratch("lock"), 0);
    for (int tries = 0; tries < 20 && seen == 0; tries++) { /* its work may be done before anybody looks */
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

/* ---- Whose is it? ------------------------------------------------------------------------------ */

static const char *const held[] = {
    "%1\n%3\n",
    "%1\n%3\n%4\n",
    "%1\n%3\n000%4\n",       /* the same number */
    "%1\n%3\nabc\n",         /* a token that cannot be read proves nothing */
    "%1\n%3\n\n",
    "%2\nanother.host\n",
    "%2\nanother.host\n%4\n",
    "%2\n%3?pidns-1\n%5\n",  /* another pid namespace */
    "%2\n%3.local\n",
    "%1\nanother.host\n%5\n",
    "%6\n%3\n",              /* exists, and may not be signalled by everyone */
    LEASE("%1", "%4", "lease", "30"),
    LEASE("%1", "%4", "lease", "1e+300"),
    LEASE("%1", "%4", "whatever", "0.1"),
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
    "2147483647\n%3\n",         /* more than the system gives */
    "%1\n%3\n%5\n",             /* the pid is another process's now */
    "%1\n%3\n1\n",
    "%1\n%3\n0\n",
    LEASE("%2", "%4", "lease", "3600"),
    LEASE("%1", "%5", "lease", "3600"),
};

START_TEST(test_stale)
{
    NEEDS_SOFT();
    char text[MARKER_SIZE];
    if (!*marker_token(own_pid()) && strstr(stale[_i], "%5"))
        SKIP("processes of the same pid cannot be told apart here");
    int64_t took = GRACE_MS; /* without waiting none; then a busy machine may take as long for once */
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

/* Any number of other markers that are there already do not make it longer. */
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

/* ---- What stands unchanged --------------------------------------------------------------------- */

/* Of these a size of 0 means that of the string. */
static const struct shape {
    const char *text;
    size_t size;
} unreadable[] = {
    {"", 0},
    {"\n", 0},
    {"0\n%3\n", 0},
    {"2147483648\n%3\n", 0},
    {"99999999999999999999999999\n%3\n", 0},
    {"-1\n%3\n", 0},
    {"+%2\n%3\n", 0},
    {" %2\n%3\n", 0},
    {"%2 \n%3\n", 0},
    {"x%2\n%3\n", 0},
    {"0x10\n%3\n", 0},
    {"\n%2\n%3\n", 0},
    {"%2\n%3", 0},
    {"%2\n%3\n%4", 0},
    {"%2\n", 0},
    {"%2\n\n", 0},
    {"%2\na host\n", 0},
    {"%2\n%3\n%4\n\n", 0},
    {"%2\n%3\n%4\nmore\n", 0},
    {"\0\0\0\0", 4},
    {"1\nfilelock-strict-v1\0\n0\n\n", 25}, /* nearly the sentinel */
    {"filelock/2\n", 0},
    {"filelock/2\npid=%2\n", 0},
    {"filelock/2\nnonsense\n", 0},
    {LEASE("%1", "%4", "lease", "-1"), 0},
};

#define UNREADABLE ((int)(sizeof unreadable / sizeof *unreadable))

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

static void name_of(int index, char *name, char *path, size_t size)
{
    sprintf(name, "%02d", index);
    snprintf(path, size, "%s.%02d", scratch("lock"), index);
}

/* It counts from the first look of a handle, also when that does not wait. */
static void try_again_and_again(void)
{
    put_marker(scratch("tried"), "");
    struct filelock *lock = new_soft(scratch("tried"), 0);
    int64_t start = now_ns();
    int result;
    while ((result = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY)) == -ETIMEDOUT) {
        ck_assert_int_lt(ms_since(start), GRACE_MS + LATENESS_MS);
        nap_ms(10);
    }
    EXPECT(result, 0);
    ck_assert_int_ge(ms_since(start), GRACE_MS);
    filelock_free(lock);
    expect_nothing_at(scratch("tried"));
}

START_TEST(test_unreadable_waits)
{
    NEEDS_SOFT();
    static struct waiter waiters[UNREADABLE + 1];
    char name[16], path[2048], oversized[1025];
    for (int i = 0; i < UNREADABLE; i++) {
        name_of(i, name, path, sizeof path);
        put_shape(&unreadable[i], path);
    }
    memset(oversized, '\n', sizeof oversized);
    int length = snprintf(oversized, sizeof oversized, "%lld\n%s\n", (long long)dead_pid(), marker_host());
    oversized[length] = '1'; /* a third line that is too long */
    memset(oversized + length, '1', sizeof oversized - 1 - (size_t)length);
    name_of(UNREADABLE, name, path, sizeof path);
    put_marker_bytes(path, oversized, sizeof oversized);

    for (int i = 0; i <= UNREADABLE; i++) {
        name_of(i, name, path, sizeof path);
        EXPECT(try_soft(path, FILELOCK_TRY), -ETIMEDOUT);
        waiter_on(&waiters[i], name, 0, PATIENCE_MS);
    }
    try_again_and_again();
    for (int i = 0; i <= UNREADABLE; i++) {
        int result = end_call(&waiters[i].caller);
        int64_t took = waiters[i].caller.took_ns / 1000000;
        ck_assert_msg(result == 0, "shape %d: %s", i, result_name(result));
        ck_assert_msg(took >= GRACE_MS, "shape %d after %lld ms already", i, (long long)took);
        ck_assert_msg(took < GRACE_MS + LATENESS_MS, "shape %d after %lld ms only", i, (long long)took);
        waiter_end(&waiters[i]);
        expect_nothing_at(waiters[i].path);
    }
}
END_TEST

/* What must stay although nothing proves its owner alive; first those that are written anew. */
#define RENEWED 2
static const struct patient patients[] = {
    {"rewritten", "", 0, 0},
    {"renewed", LEASE("%1", "%4", "lease", "1"), 0, 0},
    {"leased", LEASE("%1", "%4", "lease", "60"), 0, 0},
    {"host", "%2\nanother.host\n", 0, 0},
    {"never", "", FILELOCK_NEVER_BREAK, 0},
    {"stale-never", "%2\n%3\n", FILELOCK_NEVER_BREAK, 0},
    {"sentinel", NULL, 0, 0},
    {"expired", LEASE("%1", "%4", "lease", "2.5"), 0, 2500},
    {"short", LEASE("%1", "%4", "lease", "0.25"), 0, 250},
};

#define PATIENTS ((int)(sizeof patients / sizeof *patients))

/* All of them at once, each for two seconds and more. */
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
    for (int round = 0; still_calling(&waiters[0].caller) || still_calling(&waiters[1].caller); round++) {
        nap_ms(800);
        put_marker(patient_path("rewritten"), round % 2 ? "" : "nothing yet");
        ck_assert_int_eq(touch_file(patient_path("renewed")), 0);
        longest = now_ns() - before > longest ? now_ns() - before : longest;
        before = now_ns();
    }
    /* On a busy machine they may have been left as they were for too long. */
    int late = longest / 1000000 > GRACE_MS * 3 / 4;
    for (int i = 0; i < RENEWED && late; i++)
        waiter_end(&waiters[i]);
    for (int i = late ? RENEWED : 0; i < PATIENTS; i++)
        end_patient(&waiters[i], &patients[i]);
    if (late)
        SKIP("nothing was written for %d ms", (int)(longest / 1000000));
}
END_TEST

/* ---- Not regular -------------------------------------------------------------------------------- */

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

/* Broken by others, who did not ask us: their marker stays, whichever way ours ends. */
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

/* It goes away while somebody waits there: he is told. */
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

/* Whoever may make it anew has the lock: nobody else can find the marker that was moved away. */
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

/* Flags that are about operating-system locks change nothing. */
START_TEST(test_other_flags)
{
    NEEDS_SOFT();
    static const unsigned each[] = {FILELOCK_UNLINK, FILELOCK_RECORD_OWNER,
                                    FILELOCK_RECORD_OWNER | FILELOCK_UNLINK};
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
        expect_nothing_at(scratch(name)); /* nor anything that begins so */
    }
}
END_TEST

/* ---- Questions ------------------------------------------------------------------------------------ */

static const struct told {
    const char *text; /* as fill_marker() has it */
    int pid;          /* 0 none, 1 own, 2 that of the marker's first line */
    int alive, local;
    const char *host; /* NULL: this one */
} told[] = {
    {"%1\n%3\n%4\n", 1, 1, 1, NULL},
    {"%1\n%3\n", 1, 1, 1, NULL},
    {"%1\n%3\n%5\n", 1, 0, 1, NULL},
    {"%2\n%3\n", 2, 0, 1, NULL},
    {"%2\nanother.host\n%4\n", 2, -1, 0, "another.host"},
    {"%1\n%3?pidns-1\n%4\n", 1, -1, 0, "?pidns-1"},
    {"", 0, -1, 0, ""},
    {"nonsense", 0, -1, 0, ""},
};

START_TEST(test_owner)
{
    NEEDS_SOFT();
    const struct told *want = &told[_i];
    struct filelock_owner owner = {.size = sizeof owner};
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
    struct filelock_owner owner = {.size = sizeof owner};
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
    snprintf(wanted, sizeof wanted, "held by pid %lld (%s)", (long long)peer_pid(peer), owner.command);
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

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void add_rules(Suite *suite)
{
    TCase *tcase = add_case(suite, "rules");
    tcase_add_loop_test(tcase, test_held, 0, COUNT(held));
    tcase_add_loop_test(tcase, test_stale, 0, COUNT(stale));
    tcase_add_test(tcase, test_stale_again_and_again);
    tcase_add_test(tcase, test_unreadable_waits);
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
