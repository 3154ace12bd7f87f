/* SPDX-License-Identifier: MIT
 *
 * Where cancelling a thread needs nothing that has to be loaded first.
 */
#include "config.h"

#include "posix/cancelling.h"

bool flk_cancelling_works(void)
{
    return true;
}
