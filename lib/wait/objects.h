/* SPDX-License-Identifier: MIT
 *
 * Waiting for objects of Windows within limits.
 */
#ifndef FLK_OBJECTS_H
#define FLK_OBJECTS_H

#include <stdint.h>
#include <windows.h>

#include "wait/limits.h"

#define FLK_MAX_OBJECTS 3 /* wait for so many objects at once, and for the caller's cancel object */

/*
 * Waits within limits until an object is signalled.  Returns
 *   1 or more                       the index of a signalled object, plus 1
 *   0                               flk_now() has reached `until`
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EINVAL                         the cancel object, or another object, is not open
 */
int flk_wait_within(const HANDLE *objects, DWORD count, const struct limits *limits, int64_t until);

#endif
