/* SPDX-License-Identifier: MIT
 *
 * single LOCKFILE - a program of which only one instance runs at a time
 *
 * The process holds the lock as long as it lives.  When it ends, even by kill -9, the kernel
 * releases the lock: there is no stale lock to clean up, and the file may simply stay.
 */
#include <filelock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The program's work: copies its input until there is no more. */
static void work(void)
{
    int c;

    while ((c = getchar()) != EOF)
        putchar(c);
}

int main(int argc, char **argv)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    char why[4096];
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: single LOCKFILE\n");
        return 64;
    }
    options.flags = FILELOCK_RECORD_OWNER; /* the lock file then names this process */
    error = filelock_new(&lock, argv[1], &options);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error != 0) {
        filelock_describe(lock, error, why, sizeof why);
        fprintf(stderr, "single: %s%s\n", error == -ETIMEDOUT ? "already running: " : "", why);
        filelock_free(lock);
        return EXIT_FAILURE;
    }
    puts("single: running");
    fflush(stdout);
    work();
    filelock_free(lock); /* releases it, too */
    return EXIT_SUCCESS;
}
