/* SPDX-License-Identifier: MIT
 *
 * Who has a file open, from /proc/PID/fd of Linux (proc(5)): of one's own processes only, unless
 * privileged.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "platform.h"

static bool is_number(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "0123456789")] == '\0';
}

static bool has_open(const char *pid, const struct identity *id)
{
    char path[64];
    struct dirent *entry;
    struct stat st;
    bool found = false;
    DIR *fds;

    (void) snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    fds = opendir(path);
    if (fds == NULL)
        return false;
    /* The link's own mode tells what it was opened for: others who look only read. */
    while (!found && (entry = readdir(fds)) != NULL)
        found = fstatat(dirfd(fds), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
                (st.st_mode & S_IWUSR) != 0 && fstatat(dirfd(fds), entry->d_name, &st, 0) == 0 &&
                st.st_dev == id->device && st.st_ino == id->inode;
    (void) closedir(fds);
    return found;
}

bool flk_file_is_written(const struct identity *id)
{
    struct dirent *entry;
    bool found = false;
    DIR *processes = opendir("/proc");

    if (processes == NULL)
        return false;
    while (!found && (entry = readdir(processes)) != NULL)
        found = is_number(entry->d_name) && has_open(entry->d_name, id);
    (void) closedir(processes);
    return found;
}
