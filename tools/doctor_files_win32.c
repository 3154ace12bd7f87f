/* SPDX-License-Identifier: MIT
 *
 * doctor_files_win32.c - tries what a directory's file system can do with files.
 */
#include <config.h>

#include "doctor_findings.h"

#include "doctor_process.h"
#include "doctor_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* Returns the path of a file in the directory, which the caller frees, or NULL. */
static wchar_t *path_of(const char *place, const char *name)
{
    char path[4096 + 128];

    snprintf(path, sizeof path, "%s/%s", place, name);
    return doctor_wide(path);
}

static int make(const char *place, const char *name, const char *contents)
{
    char path[4096 + 128];

    snprintf(path, sizeof path, "%s/%s", place, name);
    return place_publish(path, contents, strlen(contents)) == 0;
}

static int contains(const char *place, const char *name, const char *contents)
{
    char path[4096 + 128], text[16];

    snprintf(path, sizeof path, "%s/%s", place, name);
    return place_read(path, text, sizeof text) == (long) strlen(contents) &&
           memcmp(text, contents, strlen(contents)) == 0;
}

static enum finding try_replace(const char *place)
{
    wchar_t *from = path_of(place, "from"), *to = path_of(place, "to");
    int works = from != NULL && to != NULL && make(place, "from", "new") && make(place, "to", "old") &&
                MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING) && contains(place, "to", "new");

    free(from);
    free(to);
    return works ? WORKS : FAILS;
}

static enum finding try_link(const char *place)
{
    wchar_t *one = path_of(place, "one"), *two = path_of(place, "two");
    int works = one != NULL && two != NULL && make(place, "one", "1") && CreateHardLinkW(two, one, NULL) &&
                contains(place, "two", "1");

    free(one);
    free(two);
    return works ? WORKS : FAILS;
}

void files_try(const char *place, struct file_findings *files)
{
    memset(files, 0, sizeof *files);
    files->replace = try_replace(place);
    files->hard_link = try_link(place);
}
