/* SPDX-License-Identifier: MIT
 *
 * cancel LOCKFILE - waits for a lock for as long as it takes, or until SIGINT or SIGTERM
 *
 * The signal handler writes a byte into a pipe, and the wait ends because the pipe can be read.
 * The byte stays in the pipe: so a signal that arrives just before the wait begins ends it, too.
 * Any other descriptor that can become readable will do: an eventfd, a timerfd, a socket.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int wake[2];

static void on_signal(int number)
{
    int saved = errno;
    ssize_t written = write(wake[1], "", 1);

    (void) number;
    (void) written; /* the pipe is full: it has a byte already */
    errno = saved;
}

/* Opens a pipe that exec(2) closes, so that no program started from here inherits it. */
static int open_pipe(int fds[2])
{
    if (pipe(fds) != 0)
        return -1;
    return fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

static int catch_signals(void)
{
    struct sigaction action;

    if (open_pipe(wake) != 0 || fcntl(wake[1], F_SETFL, O_NONBLOCK) != 0)
        return -1;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    char why[4096];
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: cancel LOCKFILE\n");
        return 64;
    }
    if (catch_signals() != 0) {
        perror("cancel");
        return EXIT_FAILURE;
    }
    options.cancel = wake[0];
    error = filelock_new(&lock, argv[1], &options);
    if (error == 0) {
        puts("cancel: waiting");
        fflush(stdout);
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    }
    if (error == 0) {
        puts("cancel: acquired");
    } else {
        filelock_describe(lock, error, why, sizeof why);
        fprintf(stderr, "cancel: %s\n", why);
    }
    filelock_free(lock);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
