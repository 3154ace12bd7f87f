/* SPDX-License-Identifier: MIT
 *
 * What threads.c asks of fork.c.
 */
#ifndef FLK_POSIX_FORK_H
#define FLK_POSIX_FORK_H

#include "platform.h"

int flk_fork_handlers(const struct platform_events *events); /* 0 or an errno value */

#endif
