/* SPDX-License-Identifier: MIT
 *
 * test_etcd_three.c - what the loss of a node costs.  Each case has a cluster of three nodes on the loopback interface.
 */
#include "etcd_nodes.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

/* What the death of a leader may cost.  Here, a new one is elected within 1 s. */
#define LEADER_MS 2000
/* An endpoint that does not answer is given up after this time. */
#define CALL_MS 900

/* Returns the addresses of the nodes, this one first. */
static const char *endpoints_from(int first)
{
    static char text[200];

    snprintf(text, sizeof(text), "%s,%s,%s", nodes.node[first].url, nodes.node[(first + 1) % 3].url,
             nodes.node[(first + 2) % 3].url);
    return text;
}

static struct filelock *lock_from(const char *name, int first, int64_t lease_ms)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;

    options.lease_ms = lease_ms;
    options.flags = FILELOCK_ANY_THREAD;
    return etcd_with(name, endpoints_from(first), NULL, NULL, &options);
}

/* Fails the test unless the lock can be had as soon as a new leader allows. */
static void expect_soon(struct filelock *lock)
{
    int64_t start = now_ns(), took_ms;

    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    took_ms = (now_ns() - start) / 1000000;
    ck_assert_msg(took_ms < LEADER_MS + LATENESS_MS, "%lld ms", (long long) took_ms);
    EXPECT(filelock_release(lock), 0);
}

/*
 * A leader that was paused may remove the keys of leases that have ended by its own count, although another leader has
 * renewed them.  etcd 3.5 does that.  The holder is told.
 */
static void expect_kept_or_told(int rc, bool paused)
{
    if (!paused || rc != -ESTALE)
        EXPECT(rc, 0);
}

/*
 * The death of the leader, or a pause of it, costs two seconds at most.  What is held stays held, a waiter keeps its place,
 * and what the leader of the past says after the pause harms nobody.
 */
START_TEST(test_leader)
{
    NEEDS_NODES();
    static struct caller caller;
    struct filelock *held = held_lock("held");
    int leader = nodes_leader(), pauses = _i;
    struct filelock *kept = lock_from("kept", leader, 6000), *waiting = lock_from("held", leader, 6000);
    struct filelock *other = lock_from("other", leader, 6000);
    uint64_t before, after;

    EXPECT(filelock_token(held, &before), 0);
    EXPECT(filelock_acquire(kept, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    expect_soon(other);
    caller_start(&caller);
    begin_acquire(&caller, waiting, FILELOCK_EXCLUSIVE, PATIENCE_MS);
    wait_for_sleep(&caller);
    kill(nodes.node[leader].pid, pauses ? SIGSTOP : SIGKILL);
    expect_soon(other);
    ck_assert(!readable_within(filelock_lost(kept), 6500)); /* it is renewed at another node */
    EXPECT(filelock_check(kept), 0);
    EXPECT(filelock_check(held), 0);
    ck_assert(still_calling(&caller));
    if (pauses)
        kill(nodes.node[leader].pid, SIGCONT);
    EXPECT(filelock_release(held), 0);
    EXPECT(end_call(&caller), 0);
    EXPECT(filelock_token(waiting, &after), 0);
    ck_assert(after > before);
    expect_kept_or_told(filelock_release(kept), pauses);
    expect_kept_or_told(caller_call(&caller, CALL_RELEASE, waiting), pauses);
    caller_end(&caller);
    filelock_free(held);
    filelock_free(kept);
    filelock_free(waiting);
    filelock_free(other);
}
END_TEST

/* An endpoint that hangs costs a second once, and not the deadline. */
START_TEST(test_endpoint_hangs)
{
    NEEDS_NODES();
    filelock_free(held_lock("hangs"));
    int follower = (nodes_leader() + 1) % 3;
    struct filelock *lock = lock_from("hangs", follower, 0);
    int64_t start;

    kill(nodes.node[follower].pid, SIGSTOP);
    start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    EXPECT_TOOK(start, CALL_MS);
    EXPECT(filelock_release(lock), 0);
    start = now_ns();
    EXPECT(filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY), 0);
    EXPECT_TOOK(start, 0);
    filelock_free(lock);
    kill(nodes.node[follower].pid, SIGCONT);
}
END_TEST

/* Without a majority nothing is granted, and a holder loses its lock by its own clock. */
START_TEST(test_no_majority)
{
    NEEDS_NODES();
    struct filelock *held = lock_from("minority", 0, 2000), *other = lock_from("other", 0, 2000);

    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    kill(nodes.node[1].pid, SIGSTOP);
    kill(nodes.node[2].pid, SIGSTOP);
    ck_assert(readable_within(filelock_lost(held), PATIENCE_MS));
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, FILELOCK_TRY), -EHOSTUNREACH);
    EXPECT(filelock_release(held), -ESTALE);
    nodes_signal(SIGCONT);
    EXPECT(filelock_acquire(other, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    EXPECT(filelock_acquire(held, FILELOCK_EXCLUSIVE, PATIENCE_MS), 0);
    filelock_free(held);
    filelock_free(other);
}
END_TEST

static TCase *three_case(Suite *suite, const char *name)
{
    TCase *tcase = add_case(suite, name);

    tcase_add_unchecked_fixture(tcase, nodes_start_three, nodes_end);
    return tcase;
}

Suite *make_suite(void)
{
    Suite *suite = suite_create("etcd_three");

    tcase_add_loop_test(three_case(suite, "death"), test_leader, 0, 1);
    tcase_add_loop_test(three_case(suite, "pause"), test_leader, 1, 2);
    TCase *others = three_case(suite, "others");
    tcase_add_test(others, test_endpoint_hangs);
    tcase_add_test(others, test_no_majority);
    return suite;
}
