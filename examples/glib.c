/* SPDX-License-Identifier: MIT
 *
 * glib LOCKFILE... - acquires all of these locks at the same time, in a GLib main loop that never blocks on a lock
 *
 * lock_acquire() is for you to copy: it has a function called when the lock is there, or the attempt has failed.  The
 * rest is a program that uses it.  The program tells of each lock that is granted, and answers each line of its input
 * meanwhile.  The end of the input ends the program: what is still under way is aborted, and what is held is released.
 * In GTK and other programs that have a main loop, the same lock_acquire() does.
 */
#define _POSIX_C_SOURCE 200809L
#include <filelock.h>

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- Acquiring a lock in a main loop ------------------------------------------------------------------ */

struct acquire {
    guint source; /* 0: no attempt is under way */
    struct filelock *lock;
    void (*done)(struct filelock *lock, int error);
};

/* Finishing closes the descriptor.  So the loop must not poll it any more: the source is removed before. */
static gboolean on_ready(gint fd, GIOCondition condition, gpointer data)
{
    struct acquire *acquire = data;

    (void) fd;
    (void) condition;
    g_source_remove(acquire->source);
    acquire->source = 0;
    acquire->done(acquire->lock, filelock_acquire_finish(acquire->lock));
    return G_SOURCE_REMOVE;
}

/*
 * Acquires the lock, and calls done() with 0 or an error: at once, if there is no need to wait, or from the loop.
 * `acquire` stays where it is until then, or until lock_abort().
 */
static void lock_acquire(struct acquire *acquire, struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms,
                         void (*done)(struct filelock *lock, int error))
{
    int error = filelock_acquire_begin(lock, mode, timeout_ms);

    *acquire = (struct acquire) { .lock = lock, .done = done };
    if (error == -EINPROGRESS)
        acquire->source = g_unix_fd_add(filelock_acquire_waitable(lock), G_IO_IN, on_ready, acquire);
    else
        done(lock, error);
}

/* Ends an attempt that may be under way.  done() is not called. */
static void lock_abort(struct acquire *acquire)
{
    if (acquire->source == 0)
        return;
    g_source_remove(acquire->source);
    acquire->source = 0;
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
        printf("glib: acquired %s\n", filelock_path(lock));
    } else {
        filelock_describe(lock, error, why, sizeof why);
        printf("glib: %s\n", why);
        failed = 1;
    }
    fflush(stdout);
}

/* Answers a line of the input.  The end of the input ends the loop. */
static gboolean on_input(gint fd, GIOCondition condition, gpointer loop)
{
    char line[256];

    (void) condition;
    if (read(fd, line, sizeof line) > 0) {
        printf("glib: waiting for %d\n", waiting);
        fflush(stdout);
        return G_SOURCE_CONTINUE;
    }
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static int begin(const char *path)
{
    int error = filelock_new(&locks[count], path, NULL);

    if (error != 0) {
        fprintf(stderr, "glib: %s: %s\n", path, filelock_strerror(error));
        return -1;
    }
    waiting++;
    lock_acquire(&acquires[count], locks[count], FILELOCK_EXCLUSIVE, FILELOCK_FOREVER, on_done);
    count++;
    return 0;
}

int main(int argc, char **argv)
{
    GMainLoop *loop;

    if (argc < 2 || argc > LOCKS_MOST + 1) {
        fprintf(stderr, "usage: glib LOCKFILE...\n");
        return 64;
    }
    for (int i = 1; i < argc; i++)
        if (begin(argv[i]) != 0)
            return EXIT_FAILURE;
    loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, loop);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    for (int i = 0; i < count; i++) {
        lock_abort(&acquires[i]);
        filelock_free(locks[i]);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
