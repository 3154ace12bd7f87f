/* SPDX-License-Identifier: MIT
 *
 * The errors of Windows as errno values.
 */
#ifndef FLK_WINDOWS_ERROR_H
#define FLK_WINDOWS_ERROR_H

/*
 * Returns the negative errno value for GetLastError().
 *   -EAGAIN  the call may succeed later: another process has the file open or locked in a way that excludes this
 *            process, or the file is about to be removed
 *   -EIO     the error has no value of its own
 */
int flk_last_error(void);

#endif
