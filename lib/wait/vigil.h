/* SPDX-License-Identifier: MIT
 *
 * The vigil: how the attendant waits for whatever any errand waits for.
 */
#ifndef FLK_VIGIL_H
#define FLK_VIGIL_H

#include <stdint.h>

#include "system/list.h"
#include "wait_types.h"

/* Starts the attendant's thread.  Returns 0 or -EAGAIN. */
int flk_vigil_start(struct attendant *attendant, void (*run)(void));

/* Waits until the thread has ended. */
void flk_vigil_join(struct attendant *attendant);

/* The attendant calls these when it begins, and before it ends or goes on without errands. */
void flk_vigil_begin(void);
void flk_vigil_end(void);

/* Caller holds the mutex of the errands.  Notes the cancel waitables of the errands, and gives each its slot. */
void flk_vigil_gather(const struct list *errands);

/*
 * Caller holds no mutex.  Waits until the wake-up is signalled, something is told, or flk_now() has reached `until`;
 * maybe for less.
 */
void flk_vigil_wait(struct wakeup *wakeup, int64_t until);

/* Caller holds the mutex of the errands.  Makes those due that were told something, and sets their reason. */
void flk_vigil_tell(const struct list *errands);

#endif
