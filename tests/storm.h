/* SPDX-License-Identifier: MIT
 *
 * storm.h - processes that fight for one soft lock and are killed at any moment, with a witness in
 * shared memory that sees two holders at once.
 */
#ifndef STORM_H
#define STORM_H

#include <stddef.h>
#include <stdint.h>

struct storm {
    const char *path;
    int processes;
    int takeovers;         /* goes on until so many locks were taken from the dead */
    unsigned flags;        /* of the handles */
    void (*prepare)(void); /* in each process beforehand; NULL: nothing */
};

/* Fails the test for what goes wrong: two holders, an error, no progress. */
void storm_run(const struct storm *storm);

/* A number below that; the state, never 0, is the storm's own. */
uint32_t chance(uint32_t *state, uint32_t below);

void nap_us(unsigned us);

/* 1 while a process of that pid runs: one that has ended and waits for its parent does not. */
int process_runs(int64_t pid);

/* Memory that is shared with the children of this process; zeroed, never given back. */
void *shared_memory(size_t size);

#endif
