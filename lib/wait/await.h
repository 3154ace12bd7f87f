/* SPDX-License-Identifier: MIT
 *
 * Waiting in the calling thread: the loop of every call that blocks.
 */
#ifndef FLK_AWAIT_H
#define FLK_AWAIT_H

#include <stdbool.h>

#include "outcome.h"
#include "wait/limits.h"
#include "wait/lookout.h"

/* What a thread waits for.  The functions get the same `arg` as flk_await(). */
struct awaited {
    /*
     * Looks whether the wait is over.  Returns CONTENDED or UNREACHED if not, and has set the lookout: by a call that is
     * wanted, a path that is watched, or the time of the next look.
     */
    enum outcome (*look)(void *arg, struct lookout *lookout);

    /*
     * Gives back what looks have kept, and what a call may have got, after an error or a limit other than the time.
     * NULL: there is nothing.
     */
    void (*withdraw)(void *arg);

    bool tried; /* what the first look would try was tried just before, in vain */
};

/*
 * Looks again and again, and waits within limits as the lookout says.  When the time is up, looks once more.
 *   what look() returned            it was neither CONTENDED nor UNREACHED
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EHOSTUNREACH                   the time is up, and the last look returned UNREACHED
 *   -EINVAL                         the cancel waitable is not open
 */
enum outcome flk_await(const struct awaited *awaited, void *arg, const struct limits *limits);

/* Waits as flk_await() does for what nothing tells: repeats the call, with jittered naps, while it returns CONTENDED. */
enum outcome flk_retry(enum outcome (*call)(void *arg), void *arg, const struct limits *limits);

#endif
