/* SPDX-License-Identifier: MIT
 *
 * All handles of the process: for fork, for threads that end, and to see a thread wait for itself.
 */
#ifndef FLK_REGISTRY_H
#define FLK_REGISTRY_H

#include "handle.h"

void flk_registry_add(struct filelock *lock);
void flk_registry_remove(struct filelock *lock);

/*
 * Whether the calling thread holds, through another handle, what would keep this one from being
 * acquired in this mode for ever.  Wants no mutex.
 */
bool flk_registry_deadlock(const struct filelock *lock, enum filelock_mode mode);

/* What the platform tells: threads that end, and fork. */
extern const struct platform_events flk_registry_events;

#endif
