/* SPDX-License-Identifier: MIT
 *
 * Systems without a clock of its own for that.  The monotonic clock of most of them goes on during a suspend.
 */
#include "config.h"

#include "system/boot_clock.h"
#include "system/clock.h"

int64_t flk_boot_now(void)
{
    return flk_now();
}
