/* SPDX-License-Identifier: MIT
 *
 * main.c - runs a suite.  With --peer it is a suite's helper process (peer.h).  With --cases it counts the suite's
 * tests.
 *
 * Exit status: 0 passed, 1 failed, 77 every test skipped, 99 could not be run.
 */
#include "harness.h"
#include "peer.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char directory[1024];
static char skips[1100];

/* Keeps ThreadSanitizer from ending the child of a process with threads as soon as the child has threads too. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/*
 * The library cancels threads, and AddressSanitizer goes on taking their frames for live.  So its own code at the end
 * of such a thread must not use the stack below.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "use_sigaltstack=0";
}

const char *harness_directory(void)
{
    return directory;
}

/* Descriptor 9 is the console of make check (AM_TESTS_FD_REDIRECT). */
void harness_skipped(const char *test, const char *reason)
{
    char line[768];
    const char *program = strrchr(peer_program, '/');
    const char *console = getenv("FILELOCK_TEST_CONSOLE");
    snprintf(line, sizeof line, "SKIP: %s: %s: %s\n", program ? program + 1 : peer_program, test, reason);
    write_all(2, line, strlen(line));
    if (console && *console && fd_is_open(atoi(console)))
        write_all(atoi(console), line, strlen(line));
    int fd = open_fd(skips);
    long end = 0;
    char byte;
    while (read_at(fd, &byte, 1, end) == 1)
        end++;
    write_at(fd, "x", 1, end);
    close_fd(fd);
}

static int tests_skipped(void)
{
    char bytes[4096];
    long length = read_file(skips, bytes, sizeof bytes);
    return length > 0 ? (int) length : 0;
}

/* True if the environment names this suite to be left out.  Says so. */
static int is_left_out(const char *program)
{
    const char *left_out = getenv("FILELOCK_TEST_SKIP"), *name = strrchr(program, '/');
    char wanted[128], list[1024];
    name = name ? name + 1 : program;
    snprintf(wanted, sizeof wanted, " %s ", !strncmp(name, "lt-", 3) ? name + 3 : name);
    snprintf(list, sizeof list, " %s ", left_out ? left_out : "");
    if (!strstr(list, wanted))
        return 0;
    printf("SKIP:%s: left out by FILELOCK_TEST_SKIP\n", wanted);
    return 1;
}

static int counting;

int harness_counts(void)
{
    return counting;
}

/* Prints how many cases there are.  Each case ends where it would begin. */
static int count_cases(void)
{
    SRunner *runner = srunner_create(make_suite());
    counting = 1;
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    printf("%d\n", srunner_ntests_run(runner));
    srunner_free(runner);
    return 0;
}

static int run_suite(void)
{
    if (make_scratch(NULL, directory, sizeof directory) != 0) {
        fprintf(stderr, "cannot make a scratch directory\n");
        return 99;
    }
    snprintf(skips, sizeof skips, "%s/skips", directory);
    say_untestable_kinds();
    SRunner *runner = srunner_create(make_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int skipped = tests_skipped();
    int all_skipped = skipped > 0 && skipped >= srunner_ntests_run(runner);
    srunner_free(runner);
    remove_tree(directory);
    if (skipped)
        printf("%d skipped\n", skipped);
    return failed ? 1 : all_skipped ? 77 : 0;
}

int main(int argc, char **argv)
{
    platform_begin();
    own_program(argv[0], peer_program, REPLY_SIZE);
    if (argc == 2 && !strcmp(argv[1], "--peer"))
        return peer_main();
    if (argc == 2 && !strcmp(argv[1], "--peer-again"))
        return write_all(1, "again\n", 6) == 0 ? peer_main() : 1;
    if (argc == 3 && !strcmp(argv[1], "--descriptors")) {
        printf("%d\n", descriptors_on(argv[2]));
        return 0;
    }
    if (argc == 2 && !strcmp(argv[1], "--cases"))
        return count_cases();
    if (is_left_out(peer_program))
        return 77;
    if (!getenv("CK_DEFAULT_TIMEOUT"))
        set_variable("CK_DEFAULT_TIMEOUT", "120");
    return run_suite();
}
