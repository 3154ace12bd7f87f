/* SPDX-License-Identifier: MIT
 *
 * Lists of handles, each under one of a few mutexes.
 */
#include "config.h"

#include "handle/gate_state.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "system/list.h"
#include "system/thread.h"

/* 16 shelves: enough that threads which use different handles seldom meet, and few enough for a fork to lock all. */
/* clang-format off */
#define EMPTY { MUTEX_INIT, { NULL }, { NULL } }
/* clang-format on */
#define FOUR EMPTY, EMPTY, EMPTY, EMPTY
static struct shelf shelves[] = { FOUR, FOUR, FOUR, FOUR };

#define SHELVES (sizeof(shelves) / sizeof(shelves[0]))

#define ADDRESS_STEP 64 /* bytes; less than the size of a handle, so that neighbours are on different shelves */

struct shelf *flk_shelf_next(struct shelf *after)
{
    struct shelf *next = after == NULL ? shelves : after + 1;

    return next == shelves + SHELVES ? NULL : next;
}

struct shelf *flk_shelf_for(const struct filelock *lock)
{
    return &shelves[(uintptr_t) lock / ADDRESS_STEP % SHELVES];
}

void flk_shelf_take(struct filelock *lock)
{
    if (lock->list == NULL)
        return;
    flk_list_remove(lock->list, &lock->link);
    lock->list = NULL;
}

/* Returns the list that a handle belongs on, or NULL. */
static struct list *list_for(const struct filelock *lock)
{
    if (lock->gate.state != GATE_FREE || lock->attempt != NULL)
        return &lock->shelf->active;
    return lock->target.kind->has_open(lock->state) ? &lock->shelf->resting : NULL;
}

void flk_shelf_put(struct filelock *lock)
{
    struct list *list = list_for(lock);

    if (lock->list == list)
        return;
    flk_shelf_take(lock);
    lock->list = list;
    if (list != NULL)
        flk_list_add(list, &lock->link);
}

/* Returns the handle of a link; NULL for NULL. */
static struct filelock *handle_of(struct link *link)
{
    return link != NULL ? LINK_OWNER(link, struct filelock, link) : NULL;
}

struct filelock *flk_shelf_first(const struct list *list)
{
    return handle_of(list->first);
}

struct filelock *flk_shelf_after(const struct filelock *lock)
{
    return handle_of(lock->link.next);
}
