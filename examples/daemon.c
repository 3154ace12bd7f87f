/* SPDX-License-Identifier: MIT
 *
 * daemon PIDFILE - locks its pid file in the foreground, then goes to the background with the lock
 *
 * Whoever starts it learns at once whether it runs already.  FILELOCK_FORK_SHARE lets the children
 * of fork(2) hold the lock too; it ends with the last of them, that is with the daemon.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* The pid file is the lock file, which is open already. */
static int write_pid(const struct filelock *lock)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    int fd = filelock_fd(lock);

    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)length, 0) == length ? 0 : -1;
}

static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0 || chdir("/") != 0)
        _exit(EXIT_FAILURE);
    if (null > STDERR_FILENO)
        close(null);
}

/* A pipe that no program which is started from here has open. */
static int open_pipe(int fds[2])
{
    if (pipe(fds) != 0)
        return -1;
    return fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(fds[1], F_SETFD, FD_CLOEXEC) == 0 ? 0 : -1;
}

/* Returns in the daemon, which tells through `ready` when it is up; the parents end in here. */
static void into_background(int ready[2])
{
    char byte;
    pid_t child = fork();

    if (child > 0) {
        close(ready[1]);
        _exit(read(ready[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    /* A session of its own, and by the second fork none that could get a terminal again. */
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
    sigprocmask(SIG_BLOCK, &stop, NULL); /* before the pid is known to anybody */
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

    if (ftruncate(filelock_fd(lock), 0) != 0)
        return EXIT_FAILURE;
    filelock_free(lock);
    return EXIT_SUCCESS;
}
