/* SPDX-License-Identifier: MIT
 *
 * Reading small files of proc(5).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "owner/proc.h"
#include "owner/proc_text.h"

bool flk_proc_read(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    do
        n = read(fd, text, size - 1);
    while (n < 0 && errno == EINTR);
    (void) close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool flk_proc_is_ours(void)
{
    char target[24];
    ssize_t n = readlink("/proc/self", target, sizeof(target) - 1);

    target[n > 0 ? n : 0] = '\0';
    return n > 0 && strtoll(target, NULL, 10) == getpid();
}

/*
 * Reads the file of the first thread, not of the process.  An emulator of user programs, such as qemu, makes up
 * /proc/PID/stat for the process itself.  The start that the process then writes into its token would not be the start
 * that other processes see.
 */
bool flk_proc_read_stat(int64_t pid, struct process_stat *stat)
{
    char path[80], text[1024];

    (void) snprintf(path, sizeof(path), "/proc/%lld/task/%lld/stat", (long long) pid, (long long) pid);
    return flk_proc_is_ours() && flk_proc_read(path, text, sizeof(text)) && flk_proc_stat(text, stat);
}

bool flk_proc_is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
}
