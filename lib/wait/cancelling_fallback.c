/* SPDX-License-Identifier: MIT
 *
 * Cancelling on systems where it needs nothing that has to be loaded first.
 */
#include "config.h"

#include "wait/cancelling.h"

bool flk_cancelling_works(void)
{
    return true;
}
