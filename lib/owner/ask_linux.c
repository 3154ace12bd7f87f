/* SPDX-License-Identifier: MIT
 *
 * Opening the file of a lock for a question, on Linux.
 *
 * Record locks (fcntl(2) F_SETLK) belong to a process and a file: closing any descriptor of the file ends them.  The
 * program may have record locks on the file that it asks about.  Then the file is read through the descriptor that the
 * program has locked, which fdinfo shows (proc(5)).
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "owner/ask.h"
#include "owner/proc.h"
#include "owner/proc_text.h"
#include "system/file.h"

/* A thread can have descriptors of its own (unshare(2) CLONE_FILES). */
#define DESCRIPTORS "/proc/thread-self/fd"

/* True if the descriptor is of a file that has a path.  Sockets and pipes have none, and are no lock files. */
static bool has_path(int fds, const char *name)
{
    char begin;

    return readlinkat(fds, name, &begin, 1) == 1 && (begin == '/' || begin == '('); /* '(' begins "(unreachable)/..." */
}

/*
 * Looks for a record lock that the program has by this descriptor.  Returns
 *   1  there is one
 *   0  there is none
 *   -EMFILE, -ENFILE or -ENOMEM
 */
static int has_record_lock(const char *name)
{
    static const char lead[] = "lock:";
    char path[64], line[256];
    struct proc_lock lock;
    FILE *info;
    int found = 0;

    (void) snprintf(path, sizeof(path), DESCRIPTORS "info/%.20s", name);
    info = fopen(path, "re");
    if (info == NULL)
        return flk_error_no_resources(-errno) ? -errno : 0;
    while (!found && fgets(line, sizeof(line), info) != NULL)
        found = strncmp(line, lead, sizeof(lead) - 1) == 0 && flk_proc_lock(line + sizeof(lead) - 1, &lock) &&
                strcmp(lock.name, "POSIX") == 0;
    (void) fclose(info);
    return found;
}

static bool is_readable(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
}

/*
 * Finds a descriptor by which the program has a record lock on the file, and prefers a descriptor that can be read.
 * The file itself is looked at last, because its server may not answer.  Returns
 *   the descriptor
 *   -ENOENT  none is seen
 *   -EMFILE, -ENFILE or -ENOMEM
 */
static int find_locked(DIR *fds, const struct identity *file)
{
    struct dirent *entry;
    struct identity id;
    int found = -ENOENT;

    while ((found < 0 || !is_readable(found)) && (entry = readdir(fds)) != NULL) {
        int locked = flk_proc_is_number(entry->d_name) && has_path(dirfd(fds), entry->d_name)
                         ? has_record_lock(entry->d_name)
                         : 0;
        int fd = (int) strtol(entry->d_name, NULL, 10);

        if (locked < 0)
            return locked;
        if (locked && flk_file_identity(fd, &id) == 0 && flk_file_same(&id, file))
            found = fd;
    }
    return found;
}

int flk_file_open_to_ask(const char *path, bool follow, bool *borrowed)
{
    struct identity file;
    int fd = flk_file_path_identity(path, follow, &file);
    DIR *fds = fd == 0 ? opendir(DESCRIPTORS) : NULL;

    if (fds != NULL) {
        fd = find_locked(fds, &file);
        (void) closedir(fds);
    } else if (fd == 0) {
        fd = -errno;
    }
    *borrowed = fd >= 0;
    return *borrowed || flk_error_no_resources(fd) ? fd : flk_file_open_to_read(path, follow);
}
