/* SPDX-License-Identifier: MIT
 *
 * libuv LOCKFILE... - acquires all of these locks at the same time, in a libuv event loop that never blocks on a lock
 *
 * lock_acquire() is for you to copy: it has a function called when the lock is there, or the attempt has failed.  The
 * rest is a program that uses it.  The program tells of each lock that is granted, and answers each line of its input
 * meanwhile.  The end of the input ends the program: what is still under way is aborted, and what is held is released.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

/* ---- Acquiring a lock in a loop ----------------------------------------------------------------------- */

struct acquire {
    uv_poll_t poll;
    struct filelock *lock;
    void (*done)(struct filelock *lock, int error);
    int under_way;
};

/*
 * Ends what the loop does for an attempt.  Only then may filelock_acquire_finish() or filelock_free() close the
 * descriptor that the loop has polled.
 */
static void end_polling(struct acquire *acquire)
{
    acquire->under_way = 0;
    uv_poll_stop(&acquire->poll);
    uv_close((uv_handle_t *) &acquire->poll, NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct acquire *acquire = poll->data;

    (void) status; /* finish knows whether the attempt is over */
    (void) events;
    end_polling(acquire);
    acquire->done(acquire->lock, filelock_acquire_finish(acquire->lock));
}

/*
 * Acquires the lock, and calls done() with 0 or an error: at once, if there is no need to wait, or from the loop.
 * `acquire` stays where it is until the loop has closed its handle.
 */
static void lock_acquire(struct acquire *acquire, uv_loop_t *loop, struct filelock *lock, enum filelock_mode mode,
                         int64_t timeout_ms, void (*done)(struct filelock *lock, int error))
{
    int error = filelock_acquire_begin(lock, mode, timeout_ms);

    *acquire = (struct acquire) { .lock = lock, .done = done };
    if (error == -EINPROGRESS) {
        error = uv_poll_init(loop, &acquire->poll, filelock_acquire_waitable(lock));
        if (error == 0) {
            acquire->under_way = 1;
            acquire->poll.data = acquire;
            uv_poll_start(&acquire->poll, UV_READABLE, on_ready);
            return;
        }
        filelock_acquire_abort(lock);
    }
    done(lock, error);
}

/* Ends an attempt that may be under way.  done() is not called. */
static void lock_abort(struct acquire *acquire)
{
    if (!acquire->under_way)
        return;
    end_polling(acquire);
    filelock_acquire_abort(acquire->lock);
}

/* ---- A program that acquires locks -------------------------------------------------------------------- */

#define LOCKS_MOST 64

static struct filelock *locks[LOCKS_MOST];
static struct acquire acquires[LOCKS_MOST];
static int count, waiting, failed;

static void on_done(struct filelock *lock, int error)
{
    char why[4096];

    waiting--;
    if (error == 0) {
        printf("libuv: acquired %s\n", filelock_path(lock));
    } else {
        filelock_describe(lock, error, why, sizeof why);
        printf("libuv: %s\n", why);
        failed = 1;
    }
    fflush(stdout);
}

/* Answers a line of the input.  The end of the input ends the loop: nothing is left for it to wait for. */
static void on_input(uv_poll_t *input, int status, int events)
{
    char line[256];

    (void) events;
    if (status == 0 && read(STDIN_FILENO, line, sizeof line) > 0) {
        printf("libuv: waiting for %d\n", waiting);
        fflush(stdout);
        return;
    }
    uv_close((uv_handle_t *) input, NULL);
    for (int i = 0; i < count; i++)
        lock_abort(&acquires[i]);
}

static int begin(uv_loop_t *loop, const char *path)
{
    int error = filelock_new(&locks[count], path, NULL);

    if (error != 0) {
        fprintf(stderr, "libuv: %s: %s\n", path, filelock_strerror(error));
        return -1;
    }
    waiting++;
    lock_acquire(&acquires[count], loop, locks[count], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER, on_done);
    count++;
    return 0;
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_poll_t input;

    if (argc < 2 || argc > LOCKS_MOST + 1) {
        fprintf(stderr, "usage: libuv LOCKFILE...\n");
        return 64;
    }
    for (int i = 1; i < argc; i++)
        if (begin(loop, argv[i]) != 0)
            return EXIT_FAILURE;
    if (uv_poll_init(loop, &input, STDIN_FILENO) != 0 || uv_poll_start(&input, UV_READABLE, on_input) != 0) {
        fprintf(stderr, "libuv: the input must be a terminal, a pipe or a socket\n");
        return EXIT_FAILURE;
    }
    uv_run(loop, UV_RUN_DEFAULT);
    for (int i = 0; i < count; i++)
        filelock_free(locks[i]);
    uv_loop_close(loop);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
