/* SPDX-License-Identifier: MIT
 *
 * witness.h - sees it when two participants are inside where only one may be.
 *
 * A file in which each participant has a slot to say that it is inside, and a counter.  A participant that enters first
 * fills its slot, and then looks at all other slots.  So of two that overlap at least one sees the other.  A writer
 * reads the counter when it enters, and writes it back plus 1 when it leaves.  So writers that overlap lose an
 * increment.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <stdint.h>

#define WITNESS_SLOTS 2048

struct witness {
    int fd;
    int slot;
    int64_t counter;  /* as read on entering */
    int64_t overlaps; /* seen so far: another participant inside with a writer */
    int64_t together; /* seen so far: another reader inside with this reader */
};

/* Returns 0, or -1. */
int witness_open(struct witness *witness, const char *path, int slot);
void witness_close(struct witness *witness);

/* Begin and end a section, of a writer if `writing`. */
void witness_enter(struct witness *witness, int writing);
void witness_leave(struct witness *witness, int writing);

/* Returns how many sections of writers were counted; -1 if the file cannot be read. */
int64_t witness_count(const char *path);

#endif
