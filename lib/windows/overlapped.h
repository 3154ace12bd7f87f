/* SPDX-License-Identifier: MIT
 *
 * Whether a lock can be waited for together with other things.
 */
#ifndef FLK_WINDOWS_OVERLAPPED_H
#define FLK_WINDOWS_OVERLAPPED_H

#include <stdbool.h>

/* Not all that Windows does with locks is done: they are not mandatory. */
bool flk_is_wine(void);

/* An overlapped request for a lock on the file goes on by itself, and will be completed. */
bool flk_overlapped_completes(int fd);

#endif
