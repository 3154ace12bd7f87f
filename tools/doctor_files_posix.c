/* SPDX-License-Identifier: MIT
 *
 * doctor_files_posix.c - tries what a directory's file system can do with files.
 */
#include <config.h>

#include "doctor_findings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

/* Where the trials work: an open directory, so that names are short. */
static int make(int at, const char *name, const char *contents)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), made;

    if (fd < 0)
        return 0;
    made = write(fd, contents, strlen(contents)) == (ssize_t) strlen(contents);
    return close(fd) == 0 && made;
}

static int contains(int at, const char *name, const char *contents)
{
    char text[16];
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text);
    close(fd);
    return n == (ssize_t) strlen(contents) && memcmp(text, contents, (size_t) n) == 0;
}

static int exists(int at, const char *name)
{
    struct stat st;

    return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int can_replace(int at)
{
    return make(at, "from", "new") && make(at, "to", "old") && renameat(at, "from", at, "to") == 0 &&
           contains(at, "to", "new") && !exists(at, "from");
}

/* A link to a name that exists must be refused: soft locks rest on that. */
static int can_link(int at)
{
    struct stat a, b;

    return make(at, "one", "1") && linkat(at, "one", at, "two", 0) == 0 && linkat(at, "one", at, "two", 0) != 0 &&
           fstatat(at, "one", &a, 0) == 0 && fstatat(at, "two", &b, 0) == 0 && a.st_ino == b.st_ino && b.st_nlink == 2;
}

static int can_link_symbolically(int at)
{
    char target[16];

    return symlinkat("nothing", at, "symbolic") == 0 && readlinkat(at, "symbolic", target, sizeof target) == 7;
}

#ifdef O_TMPFILE
static int can_make_unnamed(int at)
{
    char self[48];
    int fd = openat(at, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600), named;

    if (fd < 0)
        return 0;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    named = linkat(AT_FDCWD, self, at, "named", AT_SYMLINK_FOLLOW) == 0;
#ifdef AT_EMPTY_PATH
    named = named || linkat(fd, "", at, "named", AT_EMPTY_PATH) == 0;
#endif
    named = named && write(fd, "n", 1) == 1 && contains(at, "named", "n");
    close(fd);
    return named;
}
#define UNNAMED(at) (can_make_unnamed(at) ? WORKS : FAILS)
#else
#define UNNAMED(at) NOT_TRIED
#endif

#ifdef SYS_renameat2
#define EXCHANGE 2u /* RENAME_EXCHANGE, which some headers lack */

static int can_swap(int at)
{
    return make(at, "left", "l") && make(at, "right", "r") &&
           syscall(SYS_renameat2, at, "left", at, "right", EXCHANGE) == 0 && contains(at, "left", "r") &&
           contains(at, "right", "l");
}
#define SWAPS(at) (can_swap(at) ? WORKS : FAILS)
#else
#define SWAPS(at) NOT_TRIED
#endif

void files_try(const char *place, struct file_findings *files)
{
    int at = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    memset(files, 0, sizeof *files);
    if (at < 0)
        return;
    files->replace = can_replace(at) ? WORKS : FAILS;
    files->hard_link = can_link(at) ? WORKS : FAILS;
    files->symbolic_link = can_link_symbolically(at) ? WORKS : FAILS;
    files->unnamed = UNNAMED(at);
    files->swap = SWAPS(at);
    close(at);
}
