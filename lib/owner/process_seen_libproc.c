/* SPDX-License-Identifier: MIT
 *
 * Looking at processes by libproc of macOS.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <libproc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "owner/process_seen.h"

/* False: errno is ESRCH if there is no such process, or a zombie; else the process is another user's. */
static bool read_info(int64_t pid, struct proc_bsdinfo *info)
{
    return proc_pidinfo((int) pid, PROC_PIDTBSDINFO, 0, info, (int) sizeof(*info)) == (int) sizeof(*info);
}

/* The token is the start in microseconds, as Python's filelock writes it on macOS. */
enum life flk_process_see(int64_t pid, char token[RECORD_TOKEN_SIZE])
{
    struct proc_bsdinfo info;

    token[0] = '\0';
    if (!read_info(pid, &info))
        return errno == ESRCH ? LIFE_DEAD : LIFE_ALIVE;
    (void) snprintf(token, RECORD_TOKEN_SIZE, "%" PRIu64, info.pbi_start_tvsec * 1000000 + info.pbi_start_tvusec);
    return LIFE_ALIVE;
}

void flk_process_see_name(int64_t pid, char *name, size_t size)
{
    struct proc_bsdinfo info;

    name[0] = '\0';
    if (!read_info(pid, &info))
        return;
    if (info.pbi_name[0] != '\0')
        (void) snprintf(name, size, "%.*s", (int) sizeof(info.pbi_name), info.pbi_name);
    else
        (void) snprintf(name, size, "%.*s", (int) sizeof(info.pbi_comm), info.pbi_comm);
}
