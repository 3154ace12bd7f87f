/* SPDX-License-Identifier: MIT
 *
 * list_posix.c - tells of all locks, or of those below a directory.
 */
#include <config.h>

#include "list.h"

#include "locks.h"
#include "sighting.h"
#include "who.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* ---- Markers -------------------------------------------------------------------------------- */

/* The most bytes that a marker has. */
#define MARKER_SIZE 1024

/* The first line of a marker is a pid or names its protocol.  A second line tells it from a file that is only a pid. */
static int looks_like_marker(const char *path)
{
    static const char protocol[] = "filelock/2\n";
    char text[MARKER_SIZE + 1], *end;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return 0;
    length = read(fd, text, MARKER_SIZE);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    for (end = text; isdigit((unsigned char)*end); end++)
        ;
    return (end > text && end[0] == '\n' && end[1] > ' ') || strncmp(text, protocol, sizeof protocol - 1) == 0;
}

/* ---- The files below a directory ------------------------------------------------------------ */

/* What the walk works on: nftw() passes nothing on to the function that it calls. */
static struct {
    const struct tool_options *options;
    struct sightings *found;
    enum outcome outcome;
} walk;

/* The paths of the walk are those by which the system shows files: without links and dots.  Returns 0 to go on. */
static int visit(const char *path, const struct stat *st, int type, struct FTW *place)
{
    struct tool_options of_file = *walk.options;
    int error;

    (void)place;
    if (type != FTW_F && type != FTW_D && type != FTW_DNR)
        return 0;
    error = locks_name(walk.found, st, path);
    if (error != 0) {
        complain("cannot list locks: %s", filelock_strerror(error));
        walk.outcome = outcome_of_error(-error);
    } else if (S_ISREG(st->st_mode) && st->st_size > 0 && st->st_size <= MARKER_SIZE &&
               filelock_supported(FILELOCK_KIND_SOFT) && looks_like_marker(path)) {
        of_file.path = path;
        walk.outcome = who_add_soft(&of_file, walk.found);
    }
    return walk.outcome != OUTCOME_DONE;
}

/* The walk has no more than this many directories open at a time. */
#define MAX_OPEN 16

static enum outcome walk_through(const struct tool_options *options, const char *directory, struct sightings *found)
{
    walk.options = options;
    walk.found = found;
    walk.outcome = OUTCOME_DONE;
    if (nftw(directory, visit, MAX_OPEN, FTW_PHYS | FTW_MOUNT) < 0) {
        int error = errno;

        complain("cannot look through %s: %s", directory, strerror(error));
        return outcome_of_error(error);
    }
    return walk.outcome;
}

static int is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    if (path == NULL || strncmp(path, directory, length) != 0)
        return 0;
    return path[length] == '/' || path[length] == '\0' || (length > 0 && directory[length - 1] == '/');
}

/* Orders by path, files without one last; for one file, holders come before waiters. */
static int compare(const void *left, const void *right)
{
    const struct sighting *one = left, *other = right;
    int order = 0;

    if (one->path != NULL && other->path != NULL)
        order = strcmp(one->path, other->path);
    else if (one->path != NULL || other->path != NULL)
        return one->path == NULL ? 1 : -1;
    if (order == 0)
        order = (one->inode > other->inode) - (one->inode < other->inode);
    if (order == 0)
        order = one->waits - other->waits;
    return order != 0 ? order : (one->owner.pid > other->owner.pid) - (one->owner.pid < other->owner.pid);
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* directory: NULL for all files. */
static enum outcome list_locks(const struct tool_options *options, const char *directory, struct sightings *found)
{
    int error = locks_list(NULL, found);
    enum outcome outcome = OUTCOME_DONE;
    size_t i;

    if (error == -ENOTSUP && directory == NULL) {
        complain("this system lists no locks: --who asks about one file");
        return OUTCOME_UNAVAILABLE;
    }
    if (error != 0 && error != -ENOTSUP) {
        complain("cannot list locks: %s", filelock_strerror(error));
        return outcome_of_error(-error);
    }
    if (directory != NULL)
        outcome = walk_through(options, directory, found);
    if (found->count > 0)
        qsort(found->list, found->count, sizeof *found->list, compare);
    for (i = 0; outcome == OUTCOME_DONE && i < found->count; i++)
        if (who_asks_for(options, &found->list[i]) && (directory == NULL || is_below(found->list[i].path, directory)))
            sighting_print(&found->list[i], options->json);
    return outcome;
}

enum outcome list_tell(const struct tool_options *options)
{
    struct sightings found = { NULL, 0 };
    char *directory = options->path != NULL ? realpath(options->path, NULL) : NULL;
    enum outcome outcome, output;

    if (options->path != NULL && directory == NULL) {
        int error = errno;

        complain("cannot look through %s: %s", options->path, strerror(error));
        return outcome_of_error(error);
    }
    outcome = list_locks(options, directory, &found);
    sightings_free(&found);
    free(directory);
    output = report_flush();
    return output != OUTCOME_DONE ? output : outcome;
}
