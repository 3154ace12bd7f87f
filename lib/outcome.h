/* SPDX-License-Identifier: MIT
 *
 * What an attempt came to.
 */
#ifndef FLK_OUTCOME_H
#define FLK_OUTCOME_H

#include <limits.h>

/* A function that returns one may also return a negative errno value, which is an error. */
enum outcome {
    OUTCOME_ERROR = INT_MIN, /* never returned: it makes the type one that has negative values */
    TAKEN = 0,               /* it is the caller's now: the lock, the turn, the marker */
    CONTENDED,               /* another holder is in the way */
    AGAIN,                   /* what the attempt went by has changed: look again */
    LOST,                    /* it was the caller's, and was lost before */
    UNREACHED,               /* what keeps the lock does not answer now: a caller that waits goes on asking */
    NO_MEANS                 /* no thread or descriptor is to be had for it; nothing was done */
};

#endif
