/* SPDX-License-Identifier: MIT
 *
 * What went wrong, as everybody else says it.
 */
#ifndef FLK_WINDOWS_ERROR_H
#define FLK_WINDOWS_ERROR_H

/*
 * The negative errno value for GetLastError().  -EAGAIN: somebody else is in the way, for now; be it
 * that he has the file open or locked in a way that excludes us, or that the file is about to go.
 */
int flk_last_error(void);

#endif
