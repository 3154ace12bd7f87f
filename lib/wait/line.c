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
#include "wait/wakeup.h"

static struct mutex mutex = MUTEX_INIT;
static struct list places; /* of all lines, the newest first; under the mutex */

bool flk_same_call(const struct call_key *a, const struct call_key *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static struct line_place *place_of(struct link *link)
{
    return LINK_OWNER(link, struct line_place, link);
}

/* Caller holds the mutex.  Returns the place that is oldest in the line of the key.  NULL: there is none. */
static struct line_place *find_oldest(const struct call_key *key)
{
    struct line_place *oldest = NULL;

    for (struct link *link = places.first; link != NULL; link = link->next)
        if (flk_same_call(&place_of(link)->key, key))
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

/* Takes the place at the end of the line, or only if that is its beginning.  False: it was not taken. */
static bool take_place(struct line_place *place, bool only_first)
{
    flk_mutex_lock(&mutex);
    place->first = find_oldest(&place->key) == NULL;
    place->taken = place->first || !only_first;
    if (place->taken)
        flk_list_add(&places, &place->link);
    flk_mutex_unlock(&mutex);
    return place->taken;
}

/* Opens the wake-up only if there is a line, and before the place can be seen: then it may be signalled. */
bool flk_line_take(struct line_place *place, const struct call_key *key, const struct limits *limits)
{
    if (place->taken && flk_same_call(&place->key, key))
        return is_first(place);
    flk_line_leave(place);
    *place = (struct line_place) { .key = *key };
    if (!take_place(place, true)) {
        (void) flk_wakeup_open(&place->wakeup, limits);
        place->waits = true;
        (void) take_place(place, false);
    }
    return is_first(place);
}

int flk_line_wait(struct line_place *place, const struct limits *limits)
{
    int rc = 0;

    while (rc == 0 && !is_first(place))
        rc = flk_wakeup_wait(&place->wakeup, limits);
    return rc;
}

/* Tells the next with the mutex held: it keeps the wake-up open until it has left. */
void flk_line_leave(struct line_place *place)
{
    struct line_place *next = NULL;
    struct waker waker;

    if (!place->taken)
        return;
    flk_mutex_lock(&mutex);
    flk_list_remove(&places, &place->link);
    if (place->first)
        next = find_oldest(&place->key);
    if (next != NULL) {
        next->first = true;
        waker = flk_wakeup_waker(&next->wakeup);
        flk_wake(&waker);
    }
    flk_mutex_unlock(&mutex);
    if (place->waits)
        flk_wakeup_close(&place->wakeup);
    place->taken = place->waits = false;
}

static void child_forked(bool prepared)
{
    (void) prepared;
    flk_mutex_init(&mutex);
    places.first = NULL;
}

const struct subscriber flk_lines_subscriber = { .child_forked = child_forked };
