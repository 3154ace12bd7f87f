/* SPDX-License-Identifier: MIT
 *
 * Threads that end, the end of the process, and forks by the handlers of pthread_atfork(3).
 *
 * vfork(2), posix_spawn(3) and _Fork(3) call no handlers.  If the child soon executes a program, O_CLOEXEC does what is
 * needed.  Other uses of these calls are out of reach of any library.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "system/guard.h"
#include "system/lifetime.h"
#include "system/pipe.h"
#include "system/thread.h"

/* ---- The end of threads --------------------------------------------------------------------- */

static pthread_key_t end_key;

static void tell_thread_ended(void *unused)
{
    (void) unused;
    flk_tell_thread_ended();
}

void flk_thread_watch_end(void)
{
    if (pthread_getspecific(end_key) == NULL)
        (void) pthread_setspecific(end_key, &end_key);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

static bool prepared; /* prepare_fork() was called for the fork that is under way */
static int ready[2];  /* a pipe that the child closes when it is ready; -1: the parent does not wait for the child */

static void prepare_fork(void)
{
    int state = flk_cancel_disable();

    flk_guard_before_fork();
    flk_cancel_restore(state);
    prepared = true;
    if (!flk_tell_before_fork() || flk_pipe(ready) != 0)
        ready[0] = ready[1] = -1;
}

/* Waits until the child has closed its end of the pipe, or has died. */
static void await_child(void)
{
    int state = flk_cancel_disable();
    char none;

    (void) close(ready[1]);
    while (read(ready[0], &none, 1) < 0 && errno == EINTR)
        ;
    (void) close(ready[0]);
    flk_cancel_restore(state);
}

/* Does nothing without prepare_fork(): on musl, a fork that was under way when handlers were registered skips that. */
static void finish_in_parent(void)
{
    if (!prepared)
        return;
    prepared = false;
    flk_tell_parent_forked();
    if (ready[0] >= 0)
        await_child();
    flk_guard_unlock();
}

static void finish_in_child(void)
{
    bool was_prepared = prepared;

    if (!was_prepared)
        ready[0] = ready[1] = -1;
    prepared = false;
    flk_guard_after_fork(was_prepared);
    flk_tell_child_forked(was_prepared);
    if (ready[0] >= 0) {
        (void) close(ready[0]);
        (void) close(ready[1]);
    }
    flk_guard_unlock();
}

/* ---- The start and the end ------------------------------------------------------------------ */

/*
 * Registers the fork handlers last, since they cannot be taken back.  If that fails, the next call watches the end a
 * second time, which does no harm.
 */
int flk_lifetime_register(int (*watch_end)(void))
{
    int error = pthread_key_create(&end_key, tell_thread_ended);

    if (error != 0)
        return -error;
    if (watch_end != NULL)
        error = watch_end();
    flk_guard_start();
    if (error == 0)
        error = pthread_atfork(prepare_fork, finish_in_parent, finish_in_child);
    if (error != 0)
        (void) pthread_key_delete(end_key);
    return -error;
}

/* Deletes the key: no thread that ends may call unloaded code. */
void flk_lifetime_unregister(void)
{
    (void) pthread_key_delete(end_key);
}
