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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    for (end = text; isdigit((unsigned char) *end); end++)
        ;
    return (end > text && end[0] == '\n' && end[1] > ' ') || strncmp(text, protocol, sizeof protocol - 1) == 0;
}

/* ---- The files below a directory ------------------------------------------------------------ */

struct place {
    struct place *next;
    char path[];
};

struct walk {
    const struct tool_options *options;
    struct sightings *found;
    dev_t device;          /* the file system that is looked through */
    struct place *folders; /* directories that are still to be looked through */
    enum outcome outcome;  /* not DONE: the walk is over */
};

static void stop_walk(struct walk *walk, const char *path, int error)
{
    complain("cannot look through %s: %s", path, strerror(error));
    walk->outcome = outcome_of_error(error);
}

/* The paths of the walk are those by which the system shows files: without links and dots. */
static void visit(struct walk *walk, const struct stat *st, struct place *place)
{
    struct tool_options of_file = *walk->options;
    int error = locks_name(walk->found, st, place->path);

    if (error != 0) {
        complain("cannot list locks: %s", filelock_strerror(error));
        walk->outcome = outcome_of_error(-error);
    } else if (S_ISREG(st->st_mode) && st->st_size > 0 && st->st_size <= MARKER_SIZE &&
               filelock_supported(FILELOCK_KIND_SOFT) && looks_like_marker(place->path)) {
        of_file.path = place->path;
        walk->outcome = who_add_soft(&of_file, walk->found);
    }
    if (walk->outcome != OUTCOME_DONE || !S_ISDIR(st->st_mode) || st->st_dev != walk->device) {
        free(place);
        return;
    }
    place->next = walk->folders;
    walk->folders = place;
}

/* Returns the place of this name in a folder.  NULL: there is no memory. */
static struct place *place_in(const char *folder, const char *separator, const char *name)
{
    size_t size = strlen(folder) + strlen(separator) + strlen(name) + 1;
    struct place *place = malloc(sizeof *place + size);

    if (place != NULL)
        snprintf(place->path, size, "%s%s%s", folder, separator, name);
    return place;
}

/*
 * A directory that cannot be opened is passed over: it may have been removed meanwhile, or be another user's.  That
 * there is no room for its descriptor is an error.
 */
static void look_into(struct walk *walk, const char *folder, int is_first)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    struct stat st;

    if (entries == NULL) {
        if (is_first || errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            stop_walk(walk, folder, errno);
        return;
    }
    while (walk->outcome == OUTCOME_DONE && (entry = readdir(entries)) != NULL) {
        struct place *place;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        place = place_in(folder, strcmp(folder, "/") == 0 ? "" : "/", entry->d_name);
        if (place != NULL)
            visit(walk, &st, place);
        else
            stop_walk(walk, folder, ENOMEM);
    }
    closedir(entries);
}

/* Has one directory open at a time, however deep they are. */
static enum outcome walk_through(const struct tool_options *options, const char *directory, struct sightings *found)
{
    struct walk walk = { .options = options, .found = found, .outcome = OUTCOME_DONE };
    struct place *place = place_in(directory, "", "");
    int is_first = 1;
    struct stat st;

    if (place == NULL || lstat(directory, &st) != 0) {
        stop_walk(&walk, directory, place == NULL ? ENOMEM : errno);
        free(place);
        return walk.outcome;
    }
    walk.device = st.st_dev;
    visit(&walk, &st, place);
    while ((place = walk.folders) != NULL) {
        walk.folders = place->next;
        if (walk.outcome == OUTCOME_DONE)
            look_into(&walk, place->path, is_first);
        is_first = 0;
        free(place);
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
    if (outcome == OUTCOME_DONE && locks_list_soft_waiters(found) != 0) {
        complain("cannot list locks: %s", filelock_strerror(-ENOMEM));
        outcome = OUTCOME_OSERR;
    }
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
