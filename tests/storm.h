/* SPDX-License-Identifier: MIT
 *
 * storm.h - processes that fight for one soft lock and are killed at any moment.  A witness in shared memory sees two
 * holders at once.
 */
#ifndef STORM_H
#define STORM_H

#include <stddef.h>
#include <stdint.h>

struct storm {
    const char *path;
    int processes;
    int takeovers;         /* the storm ends when this many locks were taken from the dead */
    unsigned flags;        /* of the handles */
    void (*prepare)(void); /* run by each process first; NULL: nothing */
};

/* Runs a storm.  Fails the test if there are two holders at once, an error, or no progress. */
void storm_run(const struct storm *storm);

/* Returns a random number less than `below`.  The state is never 0, and is the storm's own. */
uint32_t chance(uint32_t *state, uint32_t below);

void nap_us(unsigned us);

/* True while a process of that pid runs.  A process that has ended and waits for its parent does not run. */
int process_runs(int64_t pid);

/* Returns zeroed memory that is shared with the children of this process; it is never given back. */
void *shared_memory(size_t size);

#endif
