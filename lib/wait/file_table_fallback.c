/* SPDX-License-Identifier: MIT
 *
 * Systems on which all threads of a process have the same open files.
 */
#include "config.h"

#include "wait/file_table.h"

long flk_file_table_thread(void)
{
    return 0;
}

bool flk_file_table_shared(long thread)
{
    (void) thread;
    return true;
}
