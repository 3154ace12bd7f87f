/* SPDX-License-Identifier: MIT
 *
 * cluster NAME FILE SECONDS - a job that runs on one host of several: it appends each line of its input to FILE
 *
 * A cluster of etcd keeps the lock NAME ($ETCDCTL_ENDPOINTS says where).  Start the job on each host: one of them works,
 * the others wait.  If the host that works fails, another has the lock after SECONDS at the latest, and goes on.
 *
 * The first host may not have failed.  It may have been stopped, and wake up in the middle of a write.  No lock can hinder
 * that, but the keeper of the data can.  Each lock has a token that is greater than all tokens before it, and the keeper
 * refuses data whose token is smaller than the last.  Here FILE has the token in front of each line, and append() refuses.
 *
 * Exit status: 0 at the end of the input, 75 if the lock could not be had, was lost, or had gone to another host.
 */
#include <filelock-etcd.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EX_TEMPFAIL 75

static int complain(const struct filelock *lock, int error)
{
    char why[4096];

    filelock_describe(lock, error, why, sizeof why);
    fprintf(stderr, "cluster: %s\n", why);
    return error;
}

/* ---- The data, and who keeps it ------------------------------------------------------------- */

/* Returns the token of the last line; 0: there is none. */
static uint64_t last_token(FILE *file)
{
    char line[512];
    uint64_t token = 0;

    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        (void) sscanf(line, "%" SCNu64, &token);
    return token;
}

/* Returns 0, or -ESTALE: a holder with a greater token has written. */
static int append(const char *path, uint64_t token, const char *line)
{
    FILE *file = fopen(path, "a+");
    int error = file == NULL ? -errno : 0;

    if (error == 0 && last_token(file) > token)
        error = -ESTALE;
    if (error == 0 && fprintf(file, "%" PRIu64 " %s\n", token, line) < 0)
        error = -EIO;
    if (file != NULL && fclose(file) != 0 && error == 0)
        error = -errno;
    return error;
}

/* Appends while no other process does: the look at the last token and the write belong together. */
static int append_fenced(const char *path, uint64_t token, const char *line)
{
    struct filelock *lock = NULL;
    char lock_path[4096];
    int error;

    (void) snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    error = filelock_new(&lock, lock_path, NULL);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, 10000);
    if (error == 0)
        error = append(path, token, line);
    filelock_free(lock);
    return error;
}

/* ---- The job -------------------------------------------------------------------------------- */

/* Waits for input.  Returns 0, or -ESTALE if the lock was lost meanwhile. */
static int wait_for_input(const struct filelock *lock)
{
    struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = filelock_lost(lock), .events = POLLIN } };

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return fds[1].revents != 0 ? -ESTALE : 0;
}

/* Reads a line byte by byte: stdio would read ahead, and poll(2) does not see what stdio has.  0 at the end. */
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

static int work(const struct filelock *lock, const char *path)
{
    char line[256];
    uint64_t token;
    int error = filelock_token(lock, &token);

    if (error != 0)
        return complain(lock, error);
    printf("cluster: ours, token %" PRIu64 "\n", token);
    fflush(stdout);
    for (;;) {
        error = wait_for_input(lock);
        if (error != 0)
            return complain(lock, error);
        if (!read_line(line, sizeof line))
            return 0;
        error = append_fenced(path, token, line);
        if (error == -ESTALE)
            fprintf(stderr, "cluster: another host has gone on with %s\n", path);
        else if (error != 0)
            fprintf(stderr, "cluster: cannot write %s: %s\n", path, filelock_strerror(error));
        if (error != 0)
            return error;
    }
}

int main(int argc, char **argv)
{
    struct filelock_options options = FILELOCK_OPTIONS_INIT;
    struct filelock *lock = NULL;
    double seconds = argc == 4 ? atof(argv[3]) : 0;
    int error;

    if (!(seconds >= 2 && seconds <= 86400)) {
        fprintf(stderr, "usage: cluster NAME FILE SECONDS\nSECONDS is 2 at least.\n");
        return 64;
    }
    options.lease_ms = (int64_t) (seconds * 1000);
    error = filelock_etcd_new(&lock, argv[1], &options, NULL);
    if (error == 0)
        error = filelock_acquire(lock, FILELOCK_EXCLUSIVE, FILELOCK_FOREVER);
    if (error != 0)
        (void) complain(lock, error);
    else
        error = work(lock, argv[2]);
    filelock_free(lock);
    return error == 0 ? EXIT_SUCCESS : EX_TEMPFAIL;
}
