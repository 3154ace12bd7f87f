/* SPDX-License-Identifier: MIT
 *
 * Signals held back while a thread is on its way to a wait that they are to end.
 */
#include "config.h"

#include "system/thread.h"

/*
 * Signals that are never blocked.  A thread that causes such a signal while the signal is blocked is killed, even if
 * the program has a handler.
 */
static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

void flk_signals_hold(struct signals *before)
{
    sigset_t held;

    (void) sigfillset(&held);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        (void) sigdelset(&held, faults[i]);
    (void) pthread_sigmask(SIG_BLOCK, &held, &before->mask);
}

void flk_signals_let(const struct signals *before)
{
    (void) pthread_sigmask(SIG_SETMASK, &before->mask, NULL);
}
