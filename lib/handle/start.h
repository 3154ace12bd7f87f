/* SPDX-License-Identifier: MIT
 *
 * The start of the library in a process.
 */
#ifndef FLK_START_H
#define FLK_START_H

/* Starts the library, unless that was done when its code was loaded.  Returns 0, -ENOMEM or -EAGAIN. */
int flk_start(void);

#endif
