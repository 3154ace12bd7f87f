/* SPDX-License-Identifier: MIT
 *
 * Whether threads can be cancelled in this process, now.
 */
#ifndef FLK_POSIX_CANCELLING_H
#define FLK_POSIX_CANCELLING_H

#include <stdbool.h>

bool flk_cancelling_works(void);

#endif
