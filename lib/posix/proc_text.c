/* SPDX-License-Identifier: MIT
 *
 * The text of proc(5).
 */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posix/proc_text.h"

/* Fields are counted from after the last ')': a command may hold blanks and parentheses. */
bool flk_proc_stat(const char *text, struct process_stat *stat)
{
    const char *field = strrchr(text, ')');
    int number = 2;

    while (field != NULL && (field = strchr(field, ' ')) != NULL && number < 22) {
        field++;
        number++;
        if (number == 3)
            stat->state = *field;
        if (number == 20)
            stat->threads = strtoull(field, NULL, 10);
        if (number == 22)
            stat->start = strtoull(field, NULL, 10);
    }
    return field != NULL; /* it ends with a blank: there was all of the last one */
}

/* "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"; who only waits has "->" before the name. */
bool flk_proc_lock(const char *line, struct proc_lock *lock)
{
    char end[24];

    if (sscanf(line, "%*s %15s %*s %*s %" SCNd64 " %x:%x:%" SCNu64 " %" SCNd64 " %23s", lock->name, &lock->pid,
               &lock->major, &lock->minor, &lock->inode, &lock->first, end) != 7)
        return false;
    lock->last = strcmp(end, "EOF") == 0 ? INT64_MAX : strtoll(end, NULL, 10);
    return strcmp(lock->name, "->") != 0;
}
