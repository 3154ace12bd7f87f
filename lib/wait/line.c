/* SPDX-License-Identifier: MIT
 *
 * Threads in line.
 */
#include "config.h"

#include <string.h>

#include "system/lifetime.h"
#include "system/list.h"
#include "system/thread.h"
#include "wait/limits.h"
#include "wait/line.h"
#include "wait/lookout.h"
#include "wait/wakeup.h"

static struct mutex mutex = MUTEX_INIT;
static struct list places; /* of all lines, the newest first; under the mutex */

static struct line_place *place_of(struct link *link)
{
    return LINK_OWNER(link, struct line_place, link);
}

/* Caller holds the mutex.  Returns the place that is oldest in the line of the key.  NULL: there is none. */
static struct line_place *find_oldest(const struct call_key *key)
{
    struct line_place *oldest = NULL;

    for (struct link *link = places.first; link != NULL; link = link->next)
        if (flk_same_call(place_of(link)->key, key))
            oldest = place_of(link);
    return oldest;
}

static bool is_first(const struct line_place *place)
{
    bool first;

    flk_mutex_lock(&mutex);
    first = place->first;
    flk_mutex_unlock(&mutex);
    return first;
}

/* Opens the wake-up before the place can be seen, since that may take long; in vain if there is no line yet. */
static void stand(struct line_place *place, const struct limits *limits)
{
    bool wanted;

    flk_mutex_lock(&mutex);
    place->first = find_oldest(place->key) == NULL;
    wanted = !place->first;
    if (!wanted)
        flk_list_add(&places, &place->link);
    flk_mutex_unlock(&mutex);
    if (!wanted)
        return;
    (void) flk_wakeup_open(&place->wakeup, limits);
    place->waits = true;
    flk_mutex_lock(&mutex);
    place->first = find_oldest(place->key) == NULL;
    flk_list_add(&places, &place->link);
    flk_mutex_unlock(&mutex);
}

int flk_line_join(struct line_place *place, const struct call_key *key, const struct limits *limits)
{
    int rc = 0;

    *place = (struct line_place) { .key = key };
    stand(place, limits);
    while (rc == 0 && !is_first(place))
        rc = flk_wakeup_wait(&place->wakeup, limits);
    return rc;
}

/* Tells the next with the mutex held: it keeps the wake-up open until it has left. */
void flk_line_leave(struct line_place *place)
{
    struct line_place *next = NULL;
    struct waker waker;

    flk_mutex_lock(&mutex);
    flk_list_remove(&places, &place->link);
    if (place->first)
        next = find_oldest(place->key);
    if (next != NULL) {
        next->first = true;
        waker = flk_wakeup_waker(&next->wakeup);
        flk_wake(&waker);
    }
    flk_mutex_unlock(&mutex);
    if (place->waits)
        flk_wakeup_close(&place->wakeup);
}

static void child_forked(bool prepared)
{
    (void) prepared;
    flk_mutex_init(&mutex);
    places.first = NULL;
}

const struct subscriber flk_lines_subscriber = { .child_forked = child_forked };
