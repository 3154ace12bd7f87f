/* SPDX-License-Identifier: MIT
 *
 * Kept descriptors, checked before use, since a program may have put another file in their place.
 *
 * A program may close every descriptor that it does not know, as daemons do by closefrom(3).  That closes those of a
 * handle as well, and the next file that the program opens gets the number.  So before the library locks, writes,
 * unlocks or closes a kept descriptor, it compares the file with the one that it opened.
 */
#ifndef FLK_OWN_FILE_H
#define FLK_OWN_FILE_H

#include "system/file.h"

/*
 * Compares the file that is open under the number with the file that the library opened.
 *   0        it is the same file; also if the file system does not tell
 *   -EBADF   nothing is open
 *   -ESTALE  it is another file, which belongs to the program
 */
int flk_own_file(int fd, const struct identity *id);

/* Closes the descriptor if it still refers to that file.  -1 is ignored. */
void flk_own_close(int fd, const struct identity *id);

#endif
