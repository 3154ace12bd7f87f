/* SPDX-License-Identifier: MIT
 *
 * update FILE - adds one to the number in FILE, however many processes do so at once
 *
 * The lock is on a separate file beside the data.  So the data can be replaced by rename(2), and a
 * reader that takes no lock sees the old number or the new number, never half a number.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_SIZE 4096

static int read_number(const char *path, long *number)
{
    FILE *file = fopen(path, "r");
    int found;

    *number = 0;
    if (!file && errno == ENOENT)
        return 0; /* no process has written it yet */
    if (!file) {
        perror(path);
        return -1;
    }
    found = fscanf(file, "%ld", number);
    fclose(file);
    if (found != 1)
        fprintf(stderr, "update: %s holds no number\n", path);
    return found == 1 ? 0 : -1;
}

static int write_number(const char *path, long number)
{
    FILE *file = fopen(path, "w");
    int failed;

    if (!file)
        return -1;
    failed = fprintf(file, "%ld\n", number) < 0 || fflush(file) != 0 || fsync(fileno(file)) != 0;
    return fclose(file) != 0 || failed ? -1 : 0;
}

/* Caller holds the lock, so the name of the temporary file needs nothing random in it. */
static int add_one(void *arg)
{
    const char *path = arg;
    char temporary[PATH_SIZE + 8];
    long number;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    if (read_number(path, &number) != 0)
        return 1;
    if (write_number(temporary, number + 1) != 0 || rename(temporary, path) != 0) {
        perror(path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct filelock *lock = NULL;
    char path[PATH_SIZE], why[PATH_SIZE + 256];
    int result;

    if (argc != 2 || snprintf(path, sizeof path, "%s.lock", argv[1]) >= (int) sizeof path) {
        fprintf(stderr, "usage: update FILE\n");
        return 64;
    }
    result = filelock_new(&lock, path, NULL);
    if (result == 0)
        result = filelock_with(lock, FILELOCK_EXCLUSIVE, 10000, add_one, argv[1]);
    if (result < 0) { /* an error of the lock; add_one() returns positive errors, and has said why */
        filelock_describe(lock, result, why, sizeof why);
        fprintf(stderr, "update: %s\n", why);
    }
    filelock_free(lock);
    return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
