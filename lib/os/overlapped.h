/* SPDX-License-Identifier: MIT
 *
 * Overlapped requests, by which a thread waits for a lock together with other things.
 */
#ifndef FLK_WINDOWS_OVERLAPPED_H
#define FLK_WINDOWS_OVERLAPPED_H

#include <stdbool.h>

/* True under Wine, which does not do all that Windows does with locks: they are not mandatory. */
bool flk_is_wine(void);

/* True if an overlapped request for a lock on the file goes on by itself, and will be completed. */
bool flk_overlapped_completes(int fd);

#endif
