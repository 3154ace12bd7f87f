/* SPDX-License-Identifier: MIT
 *
 * lease LOCKFILE SECONDS - does one step of work for each line of input, as long as its lease lasts
 *
 * A lease ends by itself if its holder hangs, or if the holder's machine is gone.  So another machine can go on with the
 * work.  The price: the lease can be lost while it is held.  The program waits for input and for the loss at once, and
 * looks at what remains of the lease before each step.
 *
 * Exit status: 0 at the end of the input, 75 if another process has the lease or the lease was lost.
 */
#include <filelock.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EX_TEMPFAIL 75

/* A step takes less than this.  A step that begins with less left might end when another holder is at work. */
#define STEP_MS 50

static int complain(const struct filelock *lock, int error)
{
    char why[4096];

    filelock_describe(lock, error, why, sizeof why);
    fprintf(stderr, "lease: %s\n", why);
    return EX_TEMPFAIL;
}

/* The work.  It must do no harm if it comes late: the process may be stopped at any point of it. */
static void step(const char *line)
{
    printf("done: %s\n", line);
    fflush(stdout);
}

/* Waits for input.  Returns 0, or -ESTALE if the lease was lost meanwhile. */
static int wait_for_input(const struct filelock *lock)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = filelock_lost(lock), .events = POLLIN } };

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return fds[1].revents != 0 ? -ESTALE : 0;
}

/* Reads a line byte by byte: stdio would read ahead, and poll(2) does not see what stdio has.  False at the end. */
static int read_line(char *line, size_t size)
{
    size_t length = 0;
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
        if (length + 1 < size)
            line[length++] = byte;
        else
            return 0;
    line[length] = '\0';
    return length > 0;
}

static int work(const struct filelock *lock)
{
    char line[256];

    for (;;) {
        int64_t left;
        int error = wait_for_input(lock);

        if (error != 0)
            return error;
        if (!read_line(line, sizeof line))
            return 0;
        error = filelock_remaining(lock, &left);
        if (error != 0)
            return error;
        if (left < STEP_MS)
            return -ESTALE;
        step(line);
    }
}

int main(int argc, char **argv)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    double seconds = argc == 3 ? atof(argv[2]) : 0;
    int error, status = EXIT_SUCCESS;

    if (!(seconds >= 0.1 && seconds <= 86400)) {
        fprintf(stderr, "usage: lease LOCKFILE SECONDS\n");
        return 64;
    }
    options.kind = FILELOCK_KIND_LEASE;
    options.lease_ms = (int64_t) (seconds * 1000);
    error = filelock_new(&lock, argv[1], &options);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_TRY);
    if (error == 0) {
        puts("lease: ours");
        fflush(stdout);
        error = work(lock);
    }
    if (error != 0)
        status = complain(lock, error);
    filelock_free(lock);
    return status;
}
