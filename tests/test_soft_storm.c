/* SPDX-License-Identifier: MIT
 *
 * test_soft_storm.c - only one process at a time takes a soft lock over from a dead owner.  It does not matter when
 * owners die, or which other processes are about to take over too.
 */
#include "markers.h"
#include "posix.h"
#include "storm.h"

#include <stdio.h>

START_TEST(test_storm)
{
    NEEDS_SOFT();
    struct storm storm = { scratch("lock"), 8, scaled(2000, 50), 0, NULL };
    storm_run(&storm);
    expect_usable(scratch("lock"));
}
END_TEST

/* If there are only two, the breaker meets the process that releases more often. */
START_TEST(test_storm_of_two)
{
    NEEDS_SOFT();
    struct storm storm = { scratch("lock"), 2, scaled(300, 20), 0, NULL };
    storm_run(&storm);
    expect_usable(scratch("lock"));
}
END_TEST

/* The path is so long that private names are cut. */
START_TEST(test_storm_at_long_name)
{
    NEEDS_SOFT();
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    struct storm storm = { scratch(name), 4, scaled(100, 10), 0, NULL };
    storm_run(&storm);
    expect_usable(scratch(name));
    name[50] = '\0';
    expect_nothing_at(scratch(name));
}
END_TEST

/* Processes that were spawned, each with threads, are killed one after the other. */
START_TEST(test_peers_killed)
{
    NEEDS_SOFT();
    for (int i = 0; i < scaled(20, 3); i++) {
        struct peer *peers[2];
        for (int j = 0; j < 2; j++) {
            peers[j] = peer_with(soft_kind(), scratch("lock"), 0);
            peer_send(peers[j], "work a witness=%s slot=%d count=1000000 threads=3 own=1 kind=%d lock=%s",
                      scratch("witness"), 3 * j, FILELOCK_KIND_SOFT, scratch("lock"));
        }
        nap_ms(1 + i % 7);
        for (int j = 0; j < 2; j++)
            peer_kill(peers[j]);
        expect_usable(scratch("lock"));
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("soft, storm");
    TCase *tcase = add_case(suite, "storm");
    tcase_add_test(tcase, test_storm);
    tcase_add_test(tcase, test_storm_of_two);
    tcase_add_test(tcase, test_storm_at_long_name);
    tcase_add_test(tcase, test_peers_killed);
    return suite;
}
