/* SPDX-License-Identifier: MIT
 *
 * who.h - tells which process holds a lock.
 */
#ifndef WHO_H
#define WHO_H

#include "options.h"
#include "report.h"
#include "sighting.h"

#include <filelock.h>

#include <stddef.h>

/* Writes a line for each holder that is found to standard output, or a line that says that there is none. */
enum outcome who_tell(const struct tool_options *options);

/*
 * Adds the holder of a soft lock on the file of the options to the list.  locks_list_soft_waiters() adds the processes
 * that wait for it.
 */
enum outcome who_add_soft(const struct tool_options *options, struct sightings *found);

/* True if the options ask for locks of this kind and on these bytes. */
int who_asks_for(const struct tool_options *options, const struct sighting *sighting);

/*
 * Completes a sentence that ends with the name of a holder: if the holder runs a command, adds which.  `size` is the
 * size of the buffer `text`.
 */
void who_add_command(const struct filelock *lock, const struct tool_options *options, char *text, size_t size);

#endif
