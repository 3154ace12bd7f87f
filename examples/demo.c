/* SPDX-License-Identifier: MIT
 *
 * demo DIRECTORY - several processes update one file, without a lock and with it; then, names a holder
 *
 * Exits with 0 only if it shows what it says: updates are lost without the lock, and none with it;
 * the timeout names the holder; and the lock ends when its holder is killed.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OFFICES 8
#define SALES 50
#define COUNT "tickets.txt"
#define LOCK "tickets.lock"

static void fail(const char *what, int error)
{
    fprintf(stderr, "demo: %s: %s\n", what, filelock_strerror(error));
    exit(EXIT_FAILURE);
}

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

static int read_count(void)
{
    FILE *file = fopen(COUNT, "r");
    int count = -1;

    if (!file || fscanf(file, "%d", &count) != 1)
        count = -1; /* another process is just writing it */
    if (file)
        fclose(file);
    return count;
}

static void write_count(int count)
{
    FILE *file = fopen(COUNT, "w");

    if (!file || fprintf(file, "%d\n", count) < 0 || fclose(file) != 0)
        fail(COUNT, -errno);
}

/* Reads the count, takes half a millisecond over the sale, and writes the count plus one. */
static void sell(void)
{
    const struct timespec thought = { 0, 500000 };
    int count = read_count();

    nanosleep(&thought, NULL);
    if (count >= 0)
        write_count(count + 1);
}

static void sell_all(struct filelock *lock)
{
    int error, i;

    for (i = 0; i < SALES; i++) {
        if (lock && (error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 30000)) != 0)
            fail("acquire", error);
        sell();
        if (lock && (error = filelock_release(lock)) != 0)
            fail("release", error);
    }
}

static void office(int start, int locked)
{
    struct filelock *lock = NULL;
    int error = locked ? filelock_new(&lock, LOCK, NULL) : 0;
    char byte;

    if (error != 0)
        fail(LOCK, error);
    if (read(start, &byte, 1) != 0) /* the parent closes the pipe: now all begin at once */
        _exit(EXIT_FAILURE);
    sell_all(lock);
    filelock_free(lock);
    _exit(EXIT_SUCCESS);
}

/* Returns the number in the file after OFFICES processes have made SALES sales each. */
static int open_offices(int locked)
{
    int start[2], status, i;

    write_count(0);
    if (pipe(start) != 0)
        fail("pipe", -errno);
    for (i = 0; i < OFFICES; i++) {
        pid_t child = fork();

        if (child < 0)
            fail("fork", -errno);
        if (child == 0) {
            close(start[1]);
            office(start[0], locked);
        }
    }
    close(start[0]);
    close(start[1]);
    for (i = 0; i < OFFICES; i++)
        if (wait(&status) < 0 || status != 0)
            fail("an office", -ECHILD);
    return read_count();
}

static int lost_sales(int locked)
{
    const char *title = locked ? "with the lock" : "without a lock";
    double began = milliseconds();
    int count = open_offices(locked), lost = OFFICES * SALES - count;
    char verdict[32] = "none lost";

    if (lost)
        snprintf(verdict, sizeof verdict, "%d sales lost", lost);
    printf("  %-15s %d sold, " COUNT " says %3d: %-15s (%.2f s)\n", title, OFFICES * SALES, count, verdict,
           (milliseconds() - began) / 1e3);
    fflush(stdout);
    return lost;
}

/* Holds the lock until it is killed, or its parent ends.  Writes to `parent` when it has the lock. */
static void hold(int parent)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock;
    char byte;
    int error;

    options.flags = FILELOCK_RECORD_OWNER;
    error = filelock_new(&lock, LOCK, &options);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error == 0 && write(parent, "", 1) == 1)
        while (read(parent, &byte, 1) > 0)
            ;
    _exit(EXIT_FAILURE);
}

static pid_t start_holder(void)
{
    int ends[2];
    char byte;
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        fail("socketpair", -errno);
    child = fork();
    if (child < 0)
        fail("fork", -errno);
    if (child == 0) {
        close(ends[0]);
        hold(ends[1]);
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        fail("hold the lock", -EIO);
    return child; /* ends[0] stays open as long as this process lives */
}

static void show_owner(const struct filelock *lock)
{
    struct filelock_owner owner = { 0 };
    int error;

    owner.size = sizeof owner;
    error = filelock_owner(lock, &owner);
    if (error == 0)
        printf("  who holds it    pid %" PRId64 " (%s), %s\n", owner.pid, owner.command,
               owner.alive == 1 ? "alive" : "not known to be alive");
    else
        printf("  who holds it    %s\n", filelock_strerror(error));
}

/* Returns what the acquire returned. */
static int show_timeout(struct filelock *lock)
{
    double began = milliseconds();
    int error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 500);
    double took = milliseconds() - began;
    char why[512];

    filelock_describe(lock, error, why, sizeof why);
    printf("  a timeout       %s\n", why);
    printf("                  (asked for 500 ms, waited %.1f ms)\n", took);
    fflush(stdout);
    return error;
}

static int show_kill(struct filelock *lock, pid_t holder)
{
    double began = milliseconds();
    int error;

    kill(holder, SIGKILL);
    error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 5000);
    printf("  kill -9         %s %.1f ms later\n", error ? filelock_strerror(error) : "ours", milliseconds() - began);
    waitpid(holder, NULL, 0);
    return error;
}

static int show_holder(void)
{
    pid_t holder = start_holder();
    struct filelock *lock = NULL;
    int timed_out, killed, error = filelock_new(&lock, LOCK, NULL);

    if (error != 0)
        fail(LOCK, error);
    show_owner(lock);
    timed_out = show_timeout(lock);
    killed = show_kill(lock, holder);
    filelock_free(lock);
    return timed_out == -ETIMEDOUT && killed == 0;
}

int main(int argc, char **argv)
{
    int lost, locked_lost, rounds = 0;

    if (argc != 2 || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: demo DIRECTORY\n");
        return 64;
    }
    printf("%d box offices (processes) sell %d tickets each. A sale reads the number in " COUNT ",\n"
           "takes 0.5 ms, and writes the number plus one.\n\n",
           OFFICES, SALES);
    fflush(stdout); /* else each child would print it again */
    do
        lost = lost_sales(0);
    while (lost == 0 && ++rounds < 10);
    locked_lost = lost_sales(1);
    printf("\nOne process holds " LOCK ", another wants it.\n\n");
    fflush(stdout);
    return show_holder() && lost > 0 && locked_lost == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
