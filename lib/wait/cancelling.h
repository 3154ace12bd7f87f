/* SPDX-License-Identifier: MIT
 *
 * Cancelling threads, which not every process can do.
 */
#ifndef FLK_CANCELLING_H
#define FLK_CANCELLING_H

#include <stdbool.h>

/* True if threads can be cancelled in this process now. */
bool flk_cancelling_works(void);

#endif
