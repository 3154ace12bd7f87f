/* SPDX-License-Identifier: MIT
 *
 * Trying again after naps.
 */
#include "config.h"

#include <errno.h>

#include "outcome.h"
#include "wait/limits.h"
#include "wait/retry.h"
#include "wait/wakeup.h"

enum outcome flk_retry(enum outcome (*call)(void *arg), void *arg, const struct limits *limits)
{
    struct wakeup wakeup;
    int rc;

    flk_wakeup_open_napping(&wakeup);
    do
        rc = call(arg);
    while (rc == CONTENDED && (rc = flk_wakeup_wait(&wakeup, limits)) == 0);
    flk_wakeup_close(&wakeup);
    if (rc != -ETIMEDOUT)
        return rc;
    rc = call(arg);
    return rc == CONTENDED ? -ETIMEDOUT : rc;
}
