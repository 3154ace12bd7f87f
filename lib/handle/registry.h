/* SPDX-License-Identifier: MIT
 *
 * All handles of the process: for forks, for threads that end, and to find a thread that would wait for itself.
 */
#ifndef FLK_REGISTRY_H
#define FLK_REGISTRY_H

#include "handle/handle.h"
#include "handle/shelf.h"

void flk_registry_add(struct filelock *lock);
void flk_registry_remove(struct filelock *lock);

/*
 * Caller holds the mutex of the shelf.  Returns a handle that the calling thread holds for itself and for which
 * will_do() is true, or NULL.
 */
struct filelock *flk_registry_find_own(struct shelf *shelf,
                                       bool (*will_do)(const struct filelock *lock, const void *arg), const void *arg);

/*
 * Caller holds no mutex.  True if the calling thread holds, through another handle, a lock that would keep this lock
 * from being acquired in this mode for ever.
 */
bool flk_registry_deadlock(const struct filelock *lock, enum filelock_mode mode);

#endif
