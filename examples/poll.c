/* SPDX-License-Identifier: MIT
 *
 * poll LOCKFILE... - acquires all of these locks at the same time, in a single thread that never blocks on a lock
 *
 * A poll(2) loop waits for the locks and for its standard input, as a server waits for its clients.  Each lock that is
 * granted is told at once, in the order in which their holders let go.  The end of the input ends the program: what is
 * still under way is aborted, and what is held is released.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOCKS_MOST 64

static struct filelock *locks[LOCKS_MOST];
static int count, failed;

/* Tells what has become of an attempt that is over. */
static void tell(struct filelock *lock, int error)
{
    char why[4096];

    if (error == 0) {
        printf("poll: acquired %s\n", filelock_path(lock));
    } else {
        filelock_describe(lock, error, why, sizeof why);
        printf("poll: %s\n", why);
        failed = 1;
    }
    fflush(stdout);
}

static int begin(const char *path)
{
    struct filelock *lock;
    char text[4096];
    int error = filelock_new(&lock, path, NULL);

    if (error != 0) {
        fprintf(stderr, "poll: %s: %s\n", path, filelock_strerror(error));
        return -1;
    }
    locks[count++] = lock;
    error = filelock_acquire_begin(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    if (error != -EINPROGRESS) {
        tell(lock, error);
        return 0;
    }
    filelock_describe(lock, error, text, sizeof text);
    printf("poll: %s\n", text);
    fflush(stdout);
    return 0;
}

/* Waits for the input and the attempts.  Entries of attempts that are over are -1, which poll(2) ignores. */
static void wait_for_some(struct pollfd *fds)
{
    fds[0].fd = STDIN_FILENO;
    fds[0].events = POLLIN;
    for (int i = 0; i < count; i++) {
        fds[i + 1].fd = filelock_acquire_waitable(locks[i]);
        fds[i + 1].events = POLLIN;
        fds[i + 1].revents = 0;
    }
    while (poll(fds, (nfds_t) count + 1, -1) < 0 && errno == EINTR)
        ;
}

/* Returns 1 while there is input. */
static int read_input(void)
{
    char line[256];

    return read(STDIN_FILENO, line, sizeof line) > 0;
}

int main(int argc, char **argv)
{
    struct pollfd fds[LOCKS_MOST + 1];
    int going = 1;

    if (argc < 2 || argc > LOCKS_MOST + 1) {
        fprintf(stderr, "usage: poll LOCKFILE...\n");
        return 64;
    }
    for (int i = 1; i < argc; i++)
        if (begin(argv[i]) != 0)
            return EXIT_FAILURE;
    while (going) {
        wait_for_some(fds);
        for (int i = 0; i < count; i++)
            if (fds[i + 1].revents != 0)
                tell(locks[i], filelock_acquire_finish(locks[i]));
        if (fds[0].revents != 0)
            going = read_input();
    }
    for (int i = 0; i < count; i++)
        filelock_free(locks[i]);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
