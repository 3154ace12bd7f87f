/* SPDX-License-Identifier: MIT
 *
 * Starting threads of the library.
 */
#include "config.h"

#include <signal.h>

#include "wait/worker.h"

int flk_worker_start(pthread_t *thread, void *stack, size_t size, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);

    if (error != 0)
        return error;
    if (stack != NULL)
        (void) pthread_attr_setstack(&attributes, stack, size);
    else if (size != 0)
        (void) pthread_attr_setstacksize(&attributes, size);
    (void) sigfillset(&all);
    /* The handlers of the program run only in threads of the program. */
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, &attributes, run, arg);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void) pthread_attr_destroy(&attributes);
    return error;
}
