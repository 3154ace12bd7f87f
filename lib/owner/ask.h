/* SPDX-License-Identifier: MIT
 *
 * Opening the file of a lock to answer a question about it.
 */
#ifndef FLK_ASK_H
#define FLK_ASK_H

#include <stdbool.h>

/*
 * Opens a possible lock file to answer a question.  Returns as flk_file_open_to_read() does.
 *
 * If the program has record locks (fcntl(2) F_SETLK) on the file, closing a descriptor of it would end them.  Then the
 * file is not opened: the descriptor returned is the program's own, and *borrowed is set.  The caller must not close a
 * borrowed descriptor, which may be open for writing only.
 */
int flk_file_open_to_ask(const char *path, bool follow, bool *borrowed);

#endif
