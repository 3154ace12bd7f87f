/* SPDX-License-Identifier: MIT
 *
 * sighting.h - a process that holds a lock or waits for it, and the line that tells of it.
 */
#ifndef SIGHTING_H
#define SIGHTING_H

#include "command.h"

#include <filelock.h>

#include <stdint.h>

#define MODE_UNKNOWN (-1)

struct sighting {
    const char *path;      /* NULL: not known */
    const char *kind;      /* "flock", "ofd", "win32", "soft", "posix" */
    const char *maybe;     /* the lock may be of this kind instead; NULL: it is of the kind that is said */
    int waits;             /* the process waits for the lock; else it holds it */
    int mode;              /* enum filelock_mode, or MODE_UNKNOWN */
    int64_t start, length; /* the bytes that are locked; length 0: to the end of the file */
    unsigned major, minor; /* the device as the system lists it; only if inode is known */
    uint64_t inode;        /* 0: not known */
    struct filelock_owner owner;
    int runs; /* the process runs a command under the lock */
    struct command command;
};

/* Writes one line to standard output: a sentence, or with json an object. */
void sighting_print(const struct sighting *sighting, int json);

/* A list that grows.  Its member is NULL when it is empty. */
struct sightings {
    struct sighting *list;
    size_t count;
};

/* Adds a copy, whose path is copied too.  Returns 0 or -ENOMEM. */
int sightings_add(struct sightings *sightings, const struct sighting *sighting);

/* Gives a sighting of a list another path, which is copied.  Returns 0, or -ENOMEM and the path stays. */
int sighting_rename(struct sighting *sighting, const char *path);

void sightings_free(struct sightings *sightings);

#endif
