/* SPDX-License-Identifier: MIT
 *
 * command_proc.c - finds commands in /proc of Linux (proc(5)).  Where there is no /proc, it finds none.
 */
#include <config.h>

#include "command.h"

#include "report.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Returns the pid if a name in /proc is that of a process, else 0. */
static int64_t pid_of(const char *name)
{
    return isdigit((unsigned char) name[0]) ? strtoll(name, NULL, 10) : 0;
}

/* ---- What the owner is ---------------------------------------------------------------------- */

static int is_named_as_this(const char *name)
{
    char own[64] = "";
    FILE *file = fopen("/proc/self/comm", "re");

    if (file == NULL)
        return 0;
    if (fgets(own, sizeof own, file) == NULL)
        own[0] = '\0';
    fclose(file);
    own[strcspn(own, "\n")] = '\0';
    return strcmp(own, name) == 0;
}

static int runs_commands(const struct filelock_owner *owner)
{
    return owner->local && owner->alive > 0 &&
           (strcmp(owner->command, TOOL_NAME) == 0 || strcmp(owner->command, "flock") == 0 ||
            is_named_as_this(owner->command));
}

/* ---- What the command holds ----------------------------------------------------------------- */

static int lists_lock(const char *fdinfo)
{
    char line[512];
    int found = 0;
    FILE *file = fopen(fdinfo, "re");

    if (file == NULL)
        return 0;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "lock:", 5) == 0;
    fclose(file);
    return found;
}

/*
 * True if the process has the file open, with a lock on that open file.  False, too, if this process may not look into
 * it, as at processes of other users.
 */
static int has_lock(int64_t pid, const struct stat *locked)
{
    char path[320];
    struct dirent *entry;
    struct stat st;
    int found = 0;
    DIR *descriptors;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    descriptors = opendir(path);
    if (descriptors == NULL)
        return 0;
    while (!found && (entry = readdir(descriptors)) != NULL) {
        snprintf(path, sizeof path, "/proc/%" PRId64 "/fd/%s", pid, entry->d_name);
        if (stat(path, &st) != 0 || st.st_dev != locked->st_dev || st.st_ino != locked->st_ino)
            continue;
        snprintf(path, sizeof path, "/proc/%" PRId64 "/fdinfo/%s", pid, entry->d_name);
        found = lists_lock(path);
    }
    closedir(descriptors);
    return found;
}

/* ---- The children --------------------------------------------------------------------------- */

struct child {
    int64_t parent;
    uint64_t start;
    char name[64];
};

/* Reads /proc/PID/stat.  The name stands between the first "(" and the last ")"; it may have any byte in it. */
static int read_child(int64_t pid, struct child *child)
{
    char path[64], line[1024], *name, *end;
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = '\0';
    name = strchr(line, '(');
    end = strrchr(line, ')');
    if (name == NULL || end == NULL ||
        sscanf(end, ") %*c %" SCNd64 " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
               &child->parent, &child->start) != 2)
        return 0;
    *end = '\0';
    snprintf(child->name, sizeof child->name, "%s", name + 1);
    for (name = child->name; *name != '\0'; name++)
        if (!isprint((unsigned char) *name))
            *name = '?';
    return 1;
}

/*
 * Takes a child of the owner that holds the lock for the command.  If no child does, takes the youngest: a shell that
 * became the owner by exec may have left it older children.
 */
int command_of(const struct filelock_owner *owner, const char *path, struct command *command)
{
    struct child child;
    struct dirent *entry;
    struct stat locked;
    uint64_t youngest = 0;
    DIR *processes = runs_commands(owner) && stat(path, &locked) == 0 ? opendir("/proc") : NULL;

    if (processes == NULL)
        return 0;
    command->pid = 0;
    command->holds = 0;
    while (!command->holds && (entry = readdir(processes)) != NULL) {
        int64_t pid = pid_of(entry->d_name);

        if (pid == 0 || !read_child(pid, &child) || child.parent != owner->pid)
            continue;
        command->holds = has_lock(pid, &locked);
        if (!command->holds && command->pid != 0 && child.start < youngest)
            continue;
        youngest = child.start;
        command->pid = pid;
        snprintf(command->name, sizeof command->name, "%s", child.name);
    }
    closedir(processes);
    return command->pid != 0;
}
