/* SPDX-License-Identifier: MIT
 *
 * Waiting for objects: what wakeup.c shares.
 */
#ifndef FLK_WINDOWS_WAKEUP_H
#define FLK_WINDOWS_WAKEUP_H

#include <stdint.h>
#include <windows.h>

#include "deadline.h"

#define FLK_OBJECTS_MOST 3 /* that can be waited for at once, beside the caller's */

/*
 * Waits until one of the objects is signalled (its index and 1), until flk_now() says so (0), or within limits
 * (-ETIMEDOUT, -ECANCELED, -EINTR, -EINVAL).
 */
int flk_wait_within(const HANDLE *objects, DWORD count, const struct limits *limits, int64_t until);

/* The time in so many ns; FLK_NEVER after FLK_NEVER. */
int64_t flk_after(int64_t ns);

#endif
