/* SPDX-License-Identifier: MIT
 *
 * The crowd: many waits for paths to be removed and for processes to end, which share what the system tells by.
 *
 * A struct watch is for a thread that waits for a single path.  The crowd is for the attendant (attend.h), which looks
 * after all of them.  Only the attendant calls these functions.
 */
#ifndef FLK_CROWD_H
#define FLK_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "system/list.h"
#include "system/lifetime.h"

struct crowd_process;

/* A wait in the crowd. */
struct place {
    struct link link;
    const char *name;              /* the last component of the path: the name in the directory */
    int directory;                 /* the number of the directory among the events; -1: the directory is not watched */
    int64_t nap;                   /* ns; the length of the next nap, which grows */
    int64_t pid;                   /* the process that was asked for; 0: none */
    struct crowd_process *process; /* NULL: no process is watched */
    bool told;                     /* the system has told something, so it is time to look */
};

/* Begins to watch the path, which the caller keeps as long as the place. */
void flk_crowd_join(struct place *place, const char *path);
void flk_crowd_leave(struct place *place);

/* Sets which process is watched, and returns as flk_watch_process() does. */
bool flk_crowd_process(struct place *place, int64_t pid, const char *token);

/* True if the process of the place is known to have ended, or cannot be watched. */
bool flk_crowd_doubts(const struct place *place);

/* Returns for how many ns the system can be relied on to tell: FLK_NEVER, or the length of the next nap. */
int64_t flk_crowd_patience(struct place *place);

/* Gives back what the crowd keeps for the next place.  There is no place. */
void flk_crowd_end(void);

/* Closes the copies that a child has. */
extern const struct subscriber flk_crowd_subscriber;

#endif
