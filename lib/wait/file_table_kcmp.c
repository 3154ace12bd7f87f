/* SPDX-License-Identifier: MIT
 *
 * kcmp(2) of Linux, which compares the tables of two threads.
 */
#include "config.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait/file_table.h"

#define KCMP_FILES 2 /* of linux/kcmp.h, which does not go together with every C library */

long flk_file_table_thread(void)
{
    return syscall(SYS_gettid);
}

/* True also if the call is refused: containers do that (seccomp(2)), and few threads leave their process's table. */
bool flk_file_table_shared(long thread)
{
    long order = syscall(SYS_kcmp, flk_file_table_thread(), thread, KCMP_FILES, 0UL, 0UL);

    return order == 0 || (order < 0 && errno != ESRCH);
}
