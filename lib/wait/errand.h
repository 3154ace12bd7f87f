/* SPDX-License-Identifier: MIT
 *
 * An errand: a wait that the attendant looks after for a caller that does not block.
 */
#ifndef FLK_ERRAND_H
#define FLK_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "system/list.h"
#include "wait/limits.h"
#include "wait/lookout.h"

struct errand {
    /* The caller sets these before flk_attend(). */
    struct limits limits;

    /*
     * Looks whether the wait is over, and sets the lookout if not.  reason: 0, or the limit that was reached:
     * -ETIMEDOUT, -ECANCELED, -EINVAL; then the wait is over.  Called by the attendant.
     */
    bool (*look)(struct errand *errand, int reason);

    /* Tells the caller that the wait is over.  The attendant does not use the errand after that. */
    void (*tell_over)(struct errand *errand);

    /* Frees an errand whose caller has left it. */
    void (*discard)(struct errand *errand);

    struct lookout lookout; /* is used by the attendant, or by a caller that has left the errand */

    /* The attendant's own, under its mutex. */
    struct link link;
    bool due;     /* it is time to look */
    int reason;   /* for look() */
    int64_t next; /* the time of the next look */
    size_t slot;  /* the number of the cancel waitable among those that are waited for; 0: none */
};

#endif
