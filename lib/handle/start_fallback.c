/* SPDX-License-Identifier: MIT
 *
 * Start and end of the library where no function is called when the code is loaded: filelock_new() starts the library,
 * and exit(3) ends it.
 *
 * A fork in another thread during the first filelock_new() leaves a child that must not use the library.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "handle/start.h"
#include "handle/subscribers.h"
#include "system/lifetime.h"

static int watch_end(void)
{
    return atexit(flk_lifetime_end) == 0 ? 0 : ENOMEM;
}

int flk_start(void)
{
    return flk_lifetime_start(flk_subscribers, watch_end);
}
