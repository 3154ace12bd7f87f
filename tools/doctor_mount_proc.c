/* SPDX-License-Identifier: MIT
 *
 * doctor_mount_proc.c - finds in /proc/self/mountinfo of Linux (proc(5)) where a directory is mounted from.
 */
#include <config.h>

#include "doctor_findings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

/* What identifies the mount of a directory. */
struct wanted {
    const char *directory;
    long id; /* of the mount, or -1: the kernel does not tell */
    unsigned major, minor;
};

/* The fields of a line that are read, each with its end. */
struct line {
    long id;
    unsigned major, minor;
    char *point, *options, *type, *source, *super_options;
};

/* Asks which mount an open directory is on.  Device and path alone may fit several mounts. */
static long read_mount_id(int fd)
{
    char path[64], text[128];
    long id = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (id < 0 && fgets(text, sizeof text, file) != NULL)
        if (sscanf(text, "mnt_id: %ld", &id) != 1)
            id = -1;
    fclose(file);
    return id;
}

static int identify(struct wanted *wanted)
{
    struct stat st;
    int fd = open(wanted->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    wanted->id = fd >= 0 ? read_mount_id(fd) : -1;
    if (fd >= 0)
        close(fd);
    if (stat(wanted->directory, &st) != 0)
        return 0;
    wanted->major = major(st.st_dev);
    wanted->minor = minor(st.st_dev);
    return 1;
}

/* Turns the \ooo of a field back into bytes. */
static void unescape(char *text)
{
    char *to = text;

    while (*text != '\0') {
        unsigned byte;

        if (sscanf(text, "\\%3o", &byte) == 1 && text[1] >= '0' && text[1] <= '7') {
            *to++ = (char) byte;
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* Cuts a line into its fields.  Optional fields stand between the options of the mount and a "-".  False if the line is
 * not as proc(5) says. */
static int parse(char *text, struct line *line)
{
    char *rest = text, *field;
    int i;

    if (sscanf(text, "%ld %*d %u:%u", &line->id, &line->major, &line->minor) != 3)
        return 0;
    for (i = 0; i < 4; i++)
        if (strsep(&rest, " ") == NULL)
            return 0;
    line->point = strsep(&rest, " ");
    line->options = strsep(&rest, " ");
    while ((field = strsep(&rest, " ")) != NULL && strcmp(field, "-") != 0)
        ;
    line->type = strsep(&rest, " ");
    line->source = strsep(&rest, " ");
    line->super_options = strsep(&rest, "\n");
    if (line->super_options == NULL)
        return 0;
    unescape(line->point);
    unescape(line->source);
    return 1;
}

/* True if the directory is the mount point, or below it. */
static int is_below(const char *directory, const char *point)
{
    size_t length = strlen(point);

    if (length > 0 && point[length - 1] == '/')
        length--;
    return strncmp(directory, point, length) == 0 && (directory[length] == '/' || directory[length] == '\0');
}

/* Rates how well a mount fits: by its number, else by the device and the longest path. */
static size_t fit(const struct wanted *wanted, const struct line *line)
{
    if (wanted->id >= 0)
        return line->id == wanted->id ? 1 : 0;
    return line->major == wanted->major && line->minor == wanted->minor && is_below(wanted->directory, line->point)
               ? strlen(line->point)
               : 0;
}

static void keep(struct mount_findings *mount, const struct line *line)
{
    snprintf(mount->type, sizeof mount->type, "%s", line->type);
    snprintf(mount->source, sizeof mount->source, "%s", line->source);
    snprintf(mount->point, sizeof mount->point, "%s", line->point);
    snprintf(mount->options, sizeof mount->options, "%s,%s", line->options, line->super_options);
}

void mount_find(const char *directory, struct mount_findings *mount)
{
    struct wanted wanted = { directory, -1, 0, 0 };
    struct line line;
    size_t size = 0, best = 0;
    char *text = NULL;
    FILE *file;

    memset(mount, 0, sizeof *mount);
    file = identify(&wanted) ? fopen("/proc/self/mountinfo", "re") : NULL;
    if (file == NULL)
        return;
    while (getline(&text, &size, file) > 0)
        /* The last mount on a path hides the others. */
        if (parse(text, &line) && fit(&wanted, &line) > 0 && fit(&wanted, &line) >= best) {
            best = fit(&wanted, &line);
            keep(mount, &line);
        }
    free(text);
    fclose(file);
}
