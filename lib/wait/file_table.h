/* SPDX-License-Identifier: MIT
 *
 * Tables of open files, and the threads that share them.
 *
 * The threads of a process share a table, unless a thread has left it (unshare(2), CLONE_FILES).  From then on a number
 * means one file to that thread, and another file to the other threads.
 */
#ifndef FLK_FILE_TABLE_H
#define FLK_FILE_TABLE_H

#include <stdbool.h>

/* Returns the system's number of the calling thread. */
long flk_file_table_thread(void);

/* True if the calling thread and this thread share a table, or if the system refuses to tell. */
bool flk_file_table_shared(long thread);

#endif
