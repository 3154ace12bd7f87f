/* SPDX-License-Identifier: MIT
 *
 * Calling options.on_wait, and knowing which threads are in it.
 */
#include "config.h"

#include "handle/announce.h"
#include "handle/handle.h"
#include "handle/shelf.h"
#include "system/thread.h"

/* A call of on_wait, on the stack of the thread that waits. */
struct announcement {
    struct announcement *next;
    thread_id thread;
};

/* Takes the call off the list.  False: it is not there, since on_wait has forked, and this is the child. */
static bool end_announcement(struct filelock *lock, const struct announcement *mine)
{
    struct announcement **link = &lock->announcements;

    while (*link != NULL && *link != mine)
        link = &(*link)->next;
    if (*link == NULL)
        return false;
    *link = mine->next;
    return true;
}

bool flk_announce_wait(struct filelock *lock)
{
    struct announcement mine = { .next = lock->announcements, .thread = flk_thread_self() };
    struct request request = lock->request;
    bool same;

    if (lock->on_wait == NULL)
        return true;
    /* cppcheck-suppress autoVariables; end_announcement() takes it off the list */
    lock->announcements = &mine;
    flk_mutex_unlock(&lock->shelf->mutex);
    lock->on_wait(lock, lock->on_wait_arg);
    flk_mutex_lock(&lock->shelf->mutex);
    same = end_announcement(lock, &mine);
    lock->request = request; /* on_wait may have asked questions */
    return same;
}

bool flk_is_announcing(const struct filelock *lock)
{
    const struct announcement *each = lock->announcements;

    while (each != NULL && !flk_thread_equal(each->thread, flk_thread_self()))
        each = each->next;
    return each != NULL;
}
