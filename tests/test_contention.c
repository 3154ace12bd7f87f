/* SPDX-License-Identifier: MIT
 *
 * test_contention.c - many processes and threads contend for a lock, and a witness sees it when two are inside at once.
 */
#include "peers.h"
#include "testing.h"
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
    long long done, overlaps, together;
};

/*
 * Reads the answers of all workers, and adds them up.
 * Fails the test unless each did all its work, and none met another that it must not meet.
 */
static struct totals hear(struct peer **peers, int count)
{
    struct totals totals = { 0, 0, 0 };
    for (int i = 0; i < count; i++) {
        char result[32];
        long long done, overlaps, together;
        const char *answer = peer_answer(peers[i]);
        ck_assert_msg(
            sscanf(answer, "%31s done=%lld overlaps=%lld together=%lld", result, &done, &overlaps, &together) == 4,
            "%s", answer);
        ck_assert_msg(!strcmp(result, "0"), "worker %d: %s", i, answer);
        totals.done += done;
        totals.overlaps += overlaps;
        totals.together += together;
    }
    ck_assert_msg(totals.overlaps == 0, "%lld overlaps", totals.overlaps);
    return totals;
}

/* Tells a peer to work on the lock "lock" with the witness "witness". */
static void put_to_work(const struct kind *kind, struct peer *peer, int slot, const char *how)
{
    peer_send(peer, "work a kind=%d lock=%s witness=%s slot=%d %s", kind->kind, scratch("lock"), scratch("witness"),
              slot, how);
}

static void start_peers(const struct kind *kind, struct peer **peers, int count, unsigned flags)
{
    for (int i = 0; i < count; i++)
        peers[i] = peer_with(kind, scratch("lock"), flags);
}

/*
 * Has `count` peers work with `threads` threads each.  Every second peer waits without a limit, the others with a
 * limit.
 */
static struct totals work(const struct kind *kind, int count, int threads, unsigned flags, const char *how)
{
    struct peer *peers[16];
    char all[256];
    start_peers(kind, peers, count, flags);
    for (int i = 0; i < count; i++) {
        snprintf(all, sizeof all, "threads=%d flags=%u timeout=%d %s", threads, flags,
                 i % 2 ? FILELOCK_FOREVER : PATIENCE_MS, how);
        put_to_work(kind, peers[i], i * threads, all);
    }
    return hear(peers, count);
}

/* ---- The witness sees what is wrong ---------------------------------------------------------- */

START_TEST(test_witness_sees_overlaps)
{
    static const struct {
        const char *first, *second, *seen;
    } rows[] = {
        { "writing", "writing", "overlaps=1 together=0" },
        { "reading", "writing", "overlaps=1 together=0" },
        { "writing", "reading", "overlaps=1 together=0" },
        { "reading", "reading", "overlaps=0 together=1" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *one = peer_start(), *other = peer_start();
        PEER_SAYS(one, "overlaps=0 together=0", "enter %s 3 %s", scratch("witness"), rows[i].first);
        PEER_SAYS(other, rows[i].seen, "enter %s 900 %s", scratch("witness"), rows[i].second);
        peer_ask(other, "leave %s 900 %s", scratch("witness"), rows[i].second);
        peer_ask(one, "leave %s 3 %s", scratch("witness"), rows[i].first);
    }
}
END_TEST

START_TEST(test_witness_sees_lost_updates)
{
    struct peer *one = peer_start(), *other = peer_start();
    peer_ask(one, "enter %s 1 writing", scratch("witness"));
    peer_ask(other, "enter %s 2 writing", scratch("witness"));
    peer_ask(one, "leave %s 1 writing", scratch("witness"));
    peer_ask(other, "leave %s 2 writing", scratch("witness"));
    ck_assert_int_eq(witness_count(scratch("witness")), 1); /* of two increments */
    for (int i = 0; i < 2; i++) {
        peer_ask(one, "enter %s 1 writing", scratch("witness"));
        peer_ask(one, "leave %s 1 writing", scratch("witness"));
    }
    ck_assert_int_eq(witness_count(scratch("witness")), 3);
}
END_TEST

/* The witness sees the overlap of two that hold a lock, because each has another lock file. */
START_TEST(test_witness_sees_missing_lock)
{
    const struct kind *kind = kind_at(_i);
    struct peer *one = peer_with(kind, scratch("lock0"), 0), *other = peer_with(kind, scratch("lock1"), 0);
    PEER_SAYS(one, "0", "acquire a exclusive 0");
    PEER_SAYS(one, "overlaps=0 together=0", "enter %s 1 writing", scratch("witness"));
    PEER_SAYS(other, "0", "acquire a exclusive 0");
    PEER_SAYS(other, "overlaps=1 together=0", "enter %s 2 writing", scratch("witness"));
}
END_TEST

/* ---- Mutual exclusion ------------------------------------------------------------------------ */

START_TEST(test_processes)
{
    char how[32];
    int count = scaled(150, 15);
    snprintf(how, sizeof how, "count=%d", count);
    struct totals totals = work(kind_at(_i), 8, 1, 0, how);
    ck_assert_int_eq(totals.done, 8 * count);
    ck_assert_int_eq(witness_count(scratch("witness")), totals.done);
}
END_TEST

START_TEST(test_processes_and_threads)
{
    char how[32];
    int count = scaled(40, 4);
    for (int own = 0; own < 2; own++) {
        snprintf(how, sizeof how, "count=%d own=%d", count, own);
        int64_t before = witness_count(scratch("witness"));
        struct totals totals = work(kind_at(_i), 4, 4, 0, how);
        ck_assert_int_eq(totals.done, 16 * count);
        ck_assert_int_eq(witness_count(scratch("witness")) - before, totals.done);
    }
}
END_TEST

START_TEST(test_readers_and_writers)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    char how[64];
    int count = scaled(80, 8);
    snprintf(how, sizeof how, "count=%d mode=mixed own=1", count);
    struct totals totals = work(kind, 4, 2, 0, how);
    ck_assert_int_eq(totals.done, 8 * count);
    ck_assert_int_eq(witness_count(scratch("witness")), 8 * (count / 4));
}
END_TEST

/* Readers are inside together: each stays inside until all have entered. */
START_TEST(test_readers_overlap)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    struct peer *peers[4];
    start_peers(kind, peers, 4, 0);
    for (int i = 0; i < 4; i++) {
        PEER_SAYS(peers[i], "0", "acquire a shared %d", i % 2 ? -1 : PATIENCE_MS);
        char seen[64];
        snprintf(seen, sizeof seen, "overlaps=0 together=%d", i);
        PEER_SAYS(peers[i], seen, "enter %s %d reading", scratch("witness"), i);
    }
    expect_taken(kind, scratch("lock"));
}
END_TEST

/* ---- Killed processes ------------------------------------------------------------------------ */

START_TEST(test_holder_killed)
{
    const struct kind *kind = kind_at(_i);
    for (int i = 0; i < 3; i++) {
        struct peer *holder = peer_with(kind, scratch("lock"), 0), *waiter = peer_with(kind, scratch("lock"), 0);
        PEER_SAYS(holder, "0", "acquire a exclusive 0");
        peer_send(waiter, "acquire a exclusive %d", i ? PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), 1);
        ck_assert(peer_silent(waiter));
        int64_t start = now_ns();
        peer_kill(holder);
        PEER_ANSWERS(waiter, "0");
        EXPECT_TOOK(start, 0);
        peer_kill(waiter);
    }
}
END_TEST

/* A waiter that is killed leaves the queue, and does not get the lock. */
START_TEST(test_waiter_killed)
{
    const struct kind *kind = kind_at(_i);
    struct peer *holder = peer_with(kind, scratch("lock"), 0), *waiters[3];
    PEER_SAYS(holder, "0", "acquire a exclusive 0");
    for (int i = 0; i < 3; i++) {
        waiters[i] = peer_with(kind, scratch("lock"), 0);
        peer_send(waiters[i], "acquire a exclusive %d", i % 2 ? PATIENCE_MS : -1);
        wait_for_queue(kind, scratch("lock"), i + 1);
    }
    peer_kill(waiters[0]);
    peer_kill(waiters[1]);
    PEER_SAYS(holder, "0", "release a");
    PEER_ANSWERS(waiters[2], "0");
    PEER_SAYS(holder, "-ETIMEDOUT", "acquire a exclusive 0");
    PEER_SAYS(waiters[2], "0", "release a");
    expect_free(kind, scratch("lock"));
}
END_TEST

/* Processes are killed in the middle of their work.  The others do all of theirs. */
START_TEST(test_killed_under_load)
{
    enum { VICTIMS = 6, OTHERS = 4 };
    const struct kind *kind = kind_at(_i);
    struct peer *others[OTHERS], *victims[VICTIMS];
    char how[64], victim_witness[2048];
    int count = scaled(60, 6);
    snprintf(how, sizeof how, "count=%d hold=1", count);
    snprintf(victim_witness, sizeof victim_witness, "%s", scratch("victims"));
    start_peers(kind, others, OTHERS, 0);
    start_peers(kind, victims, VICTIMS, 0);
    for (int i = 0; i < VICTIMS; i++)
        peer_send(victims[i], "work a lock=%s witness=%s slot=%d count=100000 threads=2 timeout=%d", scratch("lock"),
                  victim_witness, i * 2, i % 2 ? -1 : PATIENCE_MS);
    for (int i = 0; i < OTHERS; i++)
        put_to_work(kind, others[i], i, how);
    for (int i = 0; i < VICTIMS; i++) {
        int64_t seen = witness_count(victim_witness);
        EVENTUALLY(witness_count(victim_witness) > seen); /* it is at work */
        peer_kill(victims[i]);
    }
    struct totals totals = hear(others, OTHERS);
    ck_assert_int_eq(totals.done, OTHERS * count);
}
END_TEST

/* ---- The lock file under load ---------------------------------------------------------------- */

START_TEST(test_deleted_under_load)
{
    char how[64];
    NEEDS(kind_at(_i), CAN_LAST); /* the release of a lease tells of that */
    int count = scaled(100, 10);
    for (int threads = 1; threads <= 3; threads += 2) {
        int64_t before = witness_count(scratch("witness"));
        snprintf(how, sizeof how, "count=%d delete=3 own=%d", count / threads, threads > 1);
        struct totals totals = work(kind_at(_i), 5, threads, 0, how);
        ck_assert_int_eq(witness_count(scratch("witness")) - before, totals.done);
    }
}
END_TEST

START_TEST(test_replaced_under_load)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_KEEP_FILE);
    char how[64];
    snprintf(how, sizeof how, "count=%d delete=7 replace=2", scaled(80, 14));
    struct totals totals = work(kind, 5, 2, 0, how);
    ck_assert_int_eq(witness_count(scratch("witness")), totals.done);
}
END_TEST

START_TEST(test_replaced_under_readers)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE | CAN_KEEP_FILE);
    char how[64];
    int count = scaled(80, 8);
    snprintf(how, sizeof how, "count=%d mode=mixed own=1 replace=4 delete=8", count);
    work(kind, 4, 2, 0, how);
    ck_assert_int_eq(witness_count(scratch("witness")), 8 * (count / 4));
}
END_TEST

START_TEST(test_unlink_under_load)
{
    const struct kind *kind = kind_at(_i);
    char how[64];
    int count = scaled(60, 6);
    for (int own = 0; own < 2; own++) {
        int64_t before = witness_count(scratch("witness"));
        snprintf(how, sizeof how, "count=%d own=%d", count, own);
        struct totals totals = work(kind, 5, 2, FILELOCK_UNLINK, how);
        ck_assert_int_eq(witness_count(scratch("witness")) - before, totals.done);
        ck_assert_msg(!path_exists(scratch("lock")), "the last holder left the lock file");
    }
}
END_TEST

START_TEST(test_unlink_under_readers)
{
    const struct kind *kind = kind_at(_i);
    NEEDS(kind, CAN_SHARE);
    char how[64];
    int count = scaled(60, 8);
    snprintf(how, sizeof how, "count=%d own=1 mode=mixed", count);
    work(kind, 4, 2, FILELOCK_UNLINK, how);
    ck_assert_int_eq(witness_count(scratch("witness")), 8 * (count / 4));
}
END_TEST

START_TEST(test_record_under_load)
{
    char how[64];
    snprintf(how, sizeof how, "count=%d", scaled(60, 6));
    struct totals totals = work(kind_at(_i), 4, 2, FILELOCK_RECORD_OWNER, how);
    ck_assert_int_eq(witness_count(scratch("witness")), totals.done);
}
END_TEST

/* ---- Many waiters ---------------------------------------------------------------------------- */

/*
 * All threads wait at the same time, each through a handle of its own, and each gets the lock once.
 * There are fewer where every waiter looks at every release.
 */
START_TEST(test_many_waiters)
{
    enum { PEERS = 8 };
    const struct kind *kind = kind_at(_i);
    struct peer *peers[PEERS];
    char how[64];
    int threads = kind->can & CAN_QUEUE ? scaled(250, 10) : scaled(40, 10), queued = 0;
    struct filelock *lock = new_lock(kind, scratch("lock"), 0);
    start_peers(kind, peers, PEERS, 0);
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    for (int i = 0; i < PEERS; i++) {
        snprintf(how, sizeof how, "threads=%d own=1 timeout=%d", threads, i % 4 ? -1 : 10 * PATIENCE_MS);
        put_to_work(kind, peers[i], i * threads, how);
        queued += i % 4 ? threads : 1; /* the others of its process stand in line behind it */
    }
    wait_for_queue(kind, scratch("lock"), queued);
    EXPECT(filelock_release(lock), 0);
    struct totals totals = hear(peers, PEERS);
    ck_assert_int_eq(totals.done, PEERS * threads);
    ck_assert_int_eq(witness_count(scratch("witness")), totals.done);
    filelock_free(lock);
}
END_TEST

/* ---- Suite ----------------------------------------------------------------------------------- */

static void add_exclusion(Suite *suite)
{
    TCase *tcase = add_case(suite, "witness");
    tcase_add_test(tcase, test_witness_sees_overlaps);
    tcase_add_test(tcase, test_witness_sees_lost_updates);
    ADD_FOR_KINDS(tcase, test_witness_sees_missing_lock);
    tcase = add_case(suite, "exclusion");
    ADD_FOR_KINDS(tcase, test_processes);
    ADD_FOR_KINDS(tcase, test_processes_and_threads);
    ADD_FOR_KINDS(tcase, test_readers_and_writers);
    ADD_FOR_KINDS(tcase, test_readers_overlap);
    ADD_FOR_KINDS(tcase, test_many_waiters);
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("contention");
    add_exclusion(suite);
    TCase *tcase = add_case(suite, "killed");
    ADD_FOR_KINDS(tcase, test_holder_killed);
    ADD_FOR_KINDS(tcase, test_waiter_killed);
    ADD_FOR_KINDS(tcase, test_killed_under_load);
    tcase = add_case(suite, "lock file");
    ADD_FOR_KINDS(tcase, test_deleted_under_load);
    ADD_FOR_KINDS(tcase, test_replaced_under_load);
    ADD_FOR_KINDS(tcase, test_replaced_under_readers);
    ADD_FOR_KINDS(tcase, test_unlink_under_load);
    ADD_FOR_KINDS(tcase, test_unlink_under_readers);
    ADD_FOR_KINDS(tcase, test_record_under_load);
    return suite;
}
