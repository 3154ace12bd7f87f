/* SPDX-License-Identifier: MIT
 *
 * Start and end of the library by functions that are called when the code is loaded and unloaded: GCC and clang.
 *
 * The start comes before every use, so that no fork can fall into the middle of it.  The library's fork handlers are
 * registered first: they run last before a fork and first after it, so that the program's own handlers may lock and
 * unlock.  The end comes after all handlers of atexit(3): what those do is still protected by the locks of the process.
 * If a program has several such functions, the functions with the smallest number are the first and the last.
 */
#include "config.h"

#include <stddef.h>

#include "handle/start.h"
#include "handle/subscribers.h"
#include "system/lifetime.h"

int flk_start(void)
{
    return flk_lifetime_start(flk_subscribers, NULL);
}

/* Ignores an error: if there is no memory now, filelock_new() tries again. */
__attribute__((constructor(101))) static void loaded(void)
{
    (void) flk_start();
}

__attribute__((destructor(101))) static void unloaded(void)
{
    flk_lifetime_end();
}
