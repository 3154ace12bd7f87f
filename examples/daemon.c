/* SPDX-License-Identifier: MIT
 *
 * daemon PIDFILE - locks its pid file in the foreground, then goes to the background with the lock
 *
 * The caller learns at once whether the daemon runs already.  FILELOCK_FORK_SHARE lets the children
 * of fork(2) share the lock.  The lock ends with the last process that shares it: the daemon.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * Writes the text into the pid file, which is the lock file.  Opens it anew: the library's descriptor
 * may be for reading only.  Returns 0, or -1 with errno set.
 */
static int write_text(const struct filelock *lock, const char *text)
{
    int fd = open(filelock_path(lock), O_WRONLY | O_TRUNC | O_CLOEXEC);
    ssize_t length = (ssize_t) strlen(text);
    int written = fd >= 0 && write(fd, text, (size_t) length) == length;

    return fd >= 0 && close(fd) == 0 && written ? 0 : -1;
}

static int write_pid(const struct filelock *lock)
{
    char text[32];

    snprintf(text, sizeof text, "%ld\n", (long) getpid());
    return write_text(lock, text);
}

static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        chdir("/") != 0)
        _exit(EXIT_FAILURE);
    if (null > STDERR_FILENO)
        close(null);
}

/* Opens a pipe that exec(2) closes, so that no program started from here inherits it. */
static int open_pipe(int fds[2])
{
    if (pipe(fds) != 0)
        return -1;
    return fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

/*
 * Returns only in the daemon; both parents exit in here.  The first parent waits until the daemon
 * writes to `ready` that it is up.
 */
static void into_background(int ready[2])
{
    char byte;
    pid_t child = fork();

    if (child > 0) {
        close(ready[1]);
        _exit(read(ready[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    /* A new session has no terminal.  The second fork keeps it so: only a session's leader can get one. */
    if (child < 0 || setsid() < 0 || (child = fork()) < 0)
        _exit(EXIT_FAILURE);
    if (child > 0)
        _exit(EXIT_SUCCESS);
    close(ready[0]);
}

static struct filelock *lock_or_die(const char *path)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    char why[4096];
    int error;

    options.flags = FILELOCK_FORK_SHARE;
    error = filelock_new(&lock, path, &options);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error != 0) {
        filelock_describe(lock, error, why, sizeof why);
        fprintf(stderr, "daemon: %s%s\n", error == -ETIMEDOUT ? "already running: " : "", why);
        filelock_free(lock);
        exit(EXIT_FAILURE);
    }
    return lock;
}

int main(int argc, char **argv)
{
    struct filelock *lock;
    sigset_t stop;
    int ready[2], signal_number;

    if (argc != 2 || argv[1][0] != '/') {
        fprintf(stderr, "usage: daemon /ABSOLUTE/PIDFILE\n");
        return 64;
    }
    lock = lock_or_die(argv[1]);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL); /* before another process can read the pid */
    if (open_pipe(ready) != 0) {
        perror("daemon");
        return EXIT_FAILURE;
    }
    into_background(ready);
    leave_terminal();
    if (write_pid(lock) != 0 || write(ready[1], "", 1) != 1)
        return EXIT_FAILURE;
    close(ready[1]);

    sigwait(&stop, &signal_number); /* the daemon's work */

    if (write_text(lock, "") != 0)
        return EXIT_FAILURE;
    filelock_free(lock);
    return EXIT_SUCCESS;
}
