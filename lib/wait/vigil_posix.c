/* SPDX-License-Identifier: MIT
 *
 * A vigil by a single poll(2): the wake-up, the cancel descriptors and the crowd.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "system/clock.h"
#include "wait/crowd_poll.h"
#include "wait/errand.h"
#include "wait/limits.h"
#include "wait/poll.h"
#include "wait/vigil.h"
#include "wait/wakeup.h"
#include "wait/worker.h"

/* Poll interval while there is no room or no descriptor to be told by. */
#define BLIND_NS 20000000

/* Poll interval while all is well: a thread that finds the wake-up's descriptor gone sends no signal. */
#define LOOK_NS 1000000000

/* Only the attendant uses these.  The first entry is the wake-up, then come the cancel descriptors, then the crowd. */
static struct pollfd *fds;
static size_t room, cancels, crowd;
static bool blind; /* there was no room for all of them */

static void (*attend)(void);

static void *run(void *arg)
{
    (void) arg;
    attend();
    return NULL;
}

/* Does not free what there is: in a child, that is the memory of a thread of the parent. */
void flk_vigil_begin(void)
{
    fds = NULL;
    room = 0;
}

void flk_vigil_end(void)
{
    free(fds);
    flk_vigil_begin();
}

int flk_vigil_start(struct attendant *attendant, void (*run_it)(void))
{
    size_t size;

    attend = run_it;
    if (!flk_worker_stack_size(&size) || flk_worker_start(&attendant->thread, NULL, size, run, NULL) != 0)
        return -EAGAIN;
    return 0;
}

void flk_vigil_join(struct attendant *attendant)
{
    (void) pthread_join(attendant->thread, NULL);
}

/* Makes room for this many entries.  False if there is no memory. */
static bool have_room(size_t count)
{
    struct pollfd *grown;
    size_t wanted = count * 2;

    if (count <= room)
        return true;
    grown = realloc(fds, wanted * sizeof(*grown));
    if (grown == NULL)
        return false;
    fds = grown;
    room = wanted;
    return true;
}

/* Handles that have the same cancel descriptor, as most of a program do, share an entry if they are neighbours. */
void flk_vigil_gather(const struct list *errands)
{
    size_t count = 1;

    blind = !have_room(1);
    for (struct link *link = errands->first; link != NULL; link = link->next) {
        struct errand *errand = LINK_OWNER(link, struct errand, link);
        filelock_waitable cancel = errand->limits.cancel;

        errand->slot = 0;
        if (cancel == FILELOCK_NO_WAITABLE || errand->reason != 0)
            continue;
        if (count == 1 || fds[count - 1].fd != cancel) {
            if (!have_room(count + 1)) {
                blind = true;
                continue;
            }
            fds[count++] = (struct pollfd) { .fd = cancel, .events = POLLIN };
        }
        errand->slot = count - 1;
    }
    cancels = count;
}

static int64_t earlier(int64_t until, int64_t ns)
{
    int64_t at = flk_after(ns);

    return at < until ? at : until;
}

static void poll_until(struct pollfd *polled, size_t count, int64_t until)
{
    int64_t left = until - flk_now();

    if (flk_poll(polled, (nfds_t) count, left > 0 ? left : 0, NULL) < 0)
        for (size_t i = 0; i < count; i++)
            polled[i].revents = 0;
}

void flk_vigil_wait(struct wakeup *wakeup, int64_t until)
{
    filelock_waitable wake = flk_wakeup_waitable(wakeup);

    crowd = 0;
    if (have_room(cancels + flk_crowd_count()))
        crowd = flk_crowd_fill(fds + cancels, &until);
    else
        blind = true;
    until = earlier(until, blind || wake == FILELOCK_NO_WAITABLE ? BLIND_NS : LOOK_NS);
    if (room > 0) {
        fds[0] = (struct pollfd) { .fd = wake, .events = POLLIN };
        poll_until(fds, cancels + crowd, until);
    } else {
        poll_until(&(struct pollfd) { .fd = wake, .events = POLLIN }, 1, until);
    }
    flk_wakeup_drain(wakeup);
    if (crowd > 0)
        flk_crowd_read(fds + cancels, crowd);
}

void flk_vigil_tell(const struct list *errands)
{
    for (struct link *link = errands->first; link != NULL; link = link->next) {
        struct errand *errand = LINK_OWNER(link, struct errand, link);
        short found = errand->slot != 0 && errand->slot < cancels ? fds[errand->slot].revents : 0;

        if (errand->lookout.path != NULL && errand->lookout.by.place.told) {
            errand->lookout.by.place.told = false;
            errand->due = true;
        }
        if (found != 0) {
            errand->reason = (found & POLLNVAL) != 0 ? -EINVAL : -ECANCELED;
            errand->due = true;
        }
    }
}
