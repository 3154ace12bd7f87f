/* SPDX-License-Identifier: MIT
 *
 * storage.c - waits with a timeout in a program that has STORAGE_KIB of thread-local storage.
 *
 * Some thread libraries put this storage on the stack of every thread, and leave less room to a helper thread.
 */
#include <errno.h>
#include <filelock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread volatile char storage[STORAGE_KIB * 1024];

static int make(struct filelock **lock, const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    return filelock_new(lock, path, &options);
}

static int fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %d\n", what, rc);
    return 1;
}

/* Waits twice.  The first wait is abandoned, which cancels its helper. */
static int wait_twice(const char *path)
{
    struct filelock *holder, *waiter;
    int rc = make(&holder, path);
    if (rc != 0 || (rc = make(&waiter, path)) != 0)
        return fail("new", rc);
    if ((rc = filelock_acquire(holder, FILELOCK_EXCLUSIVE, FILELOCK_TRY)) != 0)
        return fail("acquire", rc);
    for (int i = 0; i < 2; i++)
        if ((rc = filelock_acquire(waiter, FILELOCK_EXCLUSIVE, 20)) != -ETIMEDOUT)
            return fail("wait", rc);
    filelock_free(waiter);
    filelock_free(holder);
    return 0;
}

int main(void)
{
    char path[] = "storage.XXXXXX";
    int fd = mkstemp(path), status;
    storage[0] = 1;
    if (fd < 0)
        return fail("mkstemp", errno);
    close(fd);
    status = wait_twice(path);
    unlink(path);
    return status;
}
