/* SPDX-License-Identifier: MIT
 *
 * witness.h - sees it when two are where only one may be.
 *
 * A file in which everyone has a slot to say that he is inside, and a counter that is read, and only
 * later written back plus one.  Whoever enters first says so and then looks at all other slots, so
 * of two that overlap at least one sees the other; and overlapping writers lose an increment.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <stdint.h>

#define WITNESS_SLOTS 2048

struct witness {
    int fd;
    int slot;
    int64_t counter;  /* as read at the entry */
    int64_t overlaps; /* seen so far: another one inside with a writer */
    int64_t together; /* seen so far: another reader inside with this reader */
};

/* 0, or -1. */
int witness_open(struct witness *witness, const char *path, int slot);
void witness_close(struct witness *witness);

/* Begins and ends a section: a writer's if `writing`. */
void witness_enter(struct witness *witness, int writing);
void witness_leave(struct witness *witness, int writing);

/* How many writers' sections have counted; -1 if the file cannot be read. */
int64_t witness_count(const char *path);

#endif
