/* SPDX-License-Identifier: MIT
 *
 * timeout LOCKFILE MILLISECONDS - waits for a lock, and names the holder that it waits for
 *
 * It tries first, so that it prints a line only if there is a wait.
 */
#include <filelock.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void say_who(const struct filelock *lock)
{
    struct filelock_owner owner = { 0 };

    owner.size = sizeof owner;
    if (filelock_owner(lock, &owner) == 0 && owner.pid != 0)
        fprintf(stderr, "timeout: waiting for pid %" PRId64 " (%s)\n", owner.pid, owner.command);
    else
        fprintf(stderr, "timeout: waiting for somebody\n");
}

static int acquire(struct filelock *lock, int64_t timeout_ms)
{
    int error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);

    if (error != -ETIMEDOUT)
        return error;
    say_who(lock);
    return filelock_acquire(lock, FILELOCK_EXCLUSIVE, timeout_ms);
}

int main(int argc, char **argv)
{
    struct filelock *lock = NULL;
    char why[4096], *end = NULL;
    int64_t timeout_ms = argc == 3 ? strtoll(argv[2], &end, 10) : -1;
    int error;

    if (timeout_ms < 0 || end == argv[2] || *end != '\0') {
        fprintf(stderr, "usage: timeout LOCKFILE MILLISECONDS\n");
        return 64;
    }
    error = filelock_new(&lock, argv[1], NULL);
    if (error == 0)
        error = acquire(lock, timeout_ms);
    if (error == 0) {
        puts("timeout: acquired");
    } else {
        filelock_describe(lock, error, why, sizeof why);
        fprintf(stderr, "timeout: %s\n", why);
    }
    filelock_free(lock);
    if (error == -ETIMEDOUT)
        return 75; /* EX_TEMPFAIL: the caller may try again */
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
