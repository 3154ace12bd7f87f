/* SPDX-License-Identifier: MIT
 *
 * Trying again and again, for what nothing tells when to try.
 */
#ifndef FLK_RETRY_H
#define FLK_RETRY_H

#include "outcome.h"
#include "wait/limits.h"

/*
 * Repeats the call, with jittered naps between, until it returns something other than CONTENDED; and makes it once more
 * when the time is up.
 *   what the call returned          it was not CONTENDED
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 */
enum outcome flk_retry(enum outcome (*call)(void *arg), void *arg, const struct limits *limits);

#endif
