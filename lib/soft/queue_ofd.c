/* SPDX-License-Identifier: MIT
 *
 * The queue of the waiters for a soft lock, by open-file-description locks on bytes of the marker.
 *
 * Each waiter locks the byte of its ticket, which is the time at which its wait began.  Then it waits for the lock on
 * the nearest lower byte that is locked.  The kernel grants that when the waiter before it is done, or has ended.
 * flock(2) does not see these locks, so they say nothing about the holder.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "outcome.h"
#include "soft/queue.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/file_posix.h"
#include "system/guard.h"
#include "system/own_file.h"
#include "system/remote.h"
#include "wait/helper.h"
#include "wait/limits.h"

/* Bytes of tickets begin here: no marker is that long, and a program that locks bytes of a file locks lower ones. */
#define FIRST_BYTE ((int64_t) 1 << 32)

/* Do without a place after so many tickets that other waiters have: some program has locked the whole file. */
#define MAX_TICKETS 8

/*
 * Look at the path after waiting this long for an earlier waiter.  That waiter may be stopped, and the lock may have
 * become free.
 */
#define PATIENCE 500000000 /* ns */

/* Leave a free lock to an earlier waiter for this long: it may get no processor. */
#define GRACE 500000000 /* ns */

static bool has_place(const struct queue_place *place)
{
    return place->fd >= 0;
}

/* True if the descriptor of the place is still the library's. */
static bool is_ours(const struct queue_place *place)
{
    return has_place(place) && flk_own_file(place->fd, &place->id) == 0;
}

void flk_queue_init(struct queue *queue)
{
    *queue = (struct queue) { .here = { .fd = -1 }, .before = { .fd = -1 } };
}

void flk_queue_arrive(struct queue *queue)
{
    if (queue->ticket == 0)
        queue->ticket = FIRST_BYTE + flk_now();
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

/* Calls fcntl(2) for the bytes from first on.  length: 0 for all.  Returns 0 or -errno. */
static int apply(int fd, int command, short type, int64_t first, int64_t length)
{
    struct flock request = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t) first, .l_len = (off_t) length };

    while (fcntl(fd, command, &request) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/*
 * Looks for a byte from first on that another waiter has locked.  length: 0 for all.  Returns the last byte of that
 * lock; INT64_MAX: it has no end; 0: there is none, or that cannot be seen.
 */
static int64_t find_locked(int fd, int64_t first, int64_t length)
{
    struct flock found = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t) first, .l_len = (off_t) length };

    if (fcntl(fd, F_OFD_GETLK, &found) != 0 || found.l_type == F_UNLCK)
        return 0;
    return found.l_len == 0 ? INT64_MAX : (int64_t) found.l_start + (int64_t) found.l_len - 1;
}

/* Look in the whole range this many times, then in its upper half: the kernel names any of the locks in a range. */
#define FEW_WAITERS 4

/* Returns the nearest byte before the ticket that another waiter has locked; 0: none. */
static int64_t find_before(int fd, int64_t ticket)
{
    int64_t first = FIRST_BYTE, last = ticket, nearest = 0;

    for (int looks = 0; first < last; looks++) {
        int64_t from = looks < FEW_WAITERS ? first : first + (last - first) / 2;
        int64_t found = find_locked(fd, from, last - from);

        if (found >= ticket) /* a program has locked more than a byte */
            return nearest;
        if (found != 0)
            first = (nearest = found) + 1;
        else
            last = from;
    }
    return nearest;
}

/*
 * Returns a ticket for a wait that begins now.  It is behind all tickets at the marker: a waiter in another time
 * namespace has another clock.  0: there is no such ticket.
 */
static int64_t new_ticket(int fd)
{
    int64_t ticket = FIRST_BYTE + flk_now(), found;

    while ((found = find_locked(fd, ticket, 0)) != 0 && found < INT64_MAX)
        ticket = found + 1;
    return found == 0 ? ticket : 0;
}

/* Locks the byte of the ticket; if another waiter has that byte, the next.  Returns the ticket, or 0. */
static int64_t lock_ticket(int fd, int64_t ticket)
{
    int rc = -EAGAIN;

    if (ticket == 0)
        ticket = new_ticket(fd);
    if (ticket == 0)
        return 0;
    for (int tries = 0; tries < MAX_TICKETS; tries++, ticket++) {
        rc = apply(fd, F_OFD_SETLK, F_WRLCK, ticket, 1);
        if (rc != -EAGAIN && rc != -EACCES)
            break;
    }
    return rc == 0 ? ticket : 0;
}

/* ---- Places --------------------------------------------------------------------------------- */

/* Unlocks before it closes: a child may have a copy of which the library does not know. */
static void unlock_and_close(const struct queue_place *place)
{
    (void) apply(place->fd, F_OFD_SETLK, F_UNLCK, 0, 0);
    flk_guard_lock();
    flk_guard_unlock_closing(place->fd, &place->id);
}

/* Gives a place up.  True if there was one. */
static bool leave(struct queue_place *place)
{
    const struct queue_place left = *place;
    bool ours = is_ours(place);

    flk_guard_lock();
    place->fd = -1;
    flk_guard_unlock();
    if (ours)
        unlock_and_close(&left);
    return has_place(&left);
}

bool flk_queue_leave(struct queue *queue)
{
    bool here = leave(&queue->here), before = leave(&queue->before);

    return here || before;
}

void flk_queue_forked(struct queue *queue)
{
    flk_own_close(queue->here.fd, &queue->here.id);
    flk_own_close(queue->before.fd, &queue->before.id);
    queue->here.fd = queue->before.fd = -1;
}

/*
 * Opens the marker, and locks the byte of the ticket in it.
 *   TAKEN     *fd is the marker, and *ticket is set
 *   AGAIN     the path does not name the marker any more
 *   NO_MEANS  no place can be had there
 */
static enum outcome open_place(const char *path, const struct identity *id, int *fd, int64_t *ticket)
{
    int opened = flk_file_open_flags(path, O_WRONLY, 0);
    enum outcome rc = NO_MEANS;

    if (opened < 0)
        return flk_error_no_file(opened) ? AGAIN : NO_MEANS;
    if (flk_own_file(opened, id) != 0)
        rc = AGAIN;
    else if (!flk_file_is_remote(opened) && (*ticket = lock_ticket(opened, *ticket)) != 0)
        rc = TAKEN;
    if (rc == TAKEN)
        *fd = opened;
    else
        flk_file_close(opened);
    return rc;
}

/*
 * Takes a place at the marker, and keeps the last place: the waiters behind this one stay there, and need not follow it
 * from marker to marker.  The place before the last is given up.  Returns as open_place() does.
 */
static enum outcome move_to(struct queue *queue, const char *path, const struct identity *id)
{
    struct queue_place new_place = { -1, *id }, left = queue->before;
    int64_t ticket = queue->ticket;
    unsigned epoch = flk_open_begin();
    enum outcome rc = open_place(path, id, &new_place.fd, &ticket);
    bool kept = flk_open_commit(epoch) && rc == TAKEN;

    if (kept)
        *queue = (struct queue) { .here = new_place, .before = queue->here, .ticket = ticket };
    flk_guard_unlock();
    if (!kept)
        left = new_place;
    if (is_ours(&left))
        unlock_and_close(&left);
    return rc == TAKEN && !kept ? AGAIN : rc;
}

enum outcome flk_queue_enter(struct queue *queue, const char *path, const struct identity *id)
{
    enum outcome rc = TAKEN;

    if (!is_ours(&queue->here) || !flk_file_same(&queue->here.id, id))
        rc = move_to(queue, path, id);
    if (rc == NO_MEANS)
        (void) flk_queue_leave(queue);
    return rc == AGAIN ? AGAIN : TAKEN;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* A wait for the waiter before. */
struct turn {
    const struct queue_place *place;
    int64_t byte;
};

/*
 * Finds a waiter to wait for, at either place.  A waiter that has lost its patience may have moved on before a slower
 * earlier waiter, which is still at the marker before.  False: there is none.
 */
static bool find_turn(const struct queue *queue, struct turn *turn)
{
    const struct queue_place *places[] = { &queue->before, &queue->here };

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        int64_t byte = is_ours(places[i]) ? find_before(places[i]->fd, queue->ticket) : 0;

        if (byte != 0) {
            *turn = (struct turn) { places[i], byte };
            return true;
        }
    }
    return false;
}

/*
 * Waits in a helper until the byte can be locked, and unlocks it again: a later waiter may look for that byte as well.
 * Returns 0; or -ESTALE if the descriptor is another file to the helper, or the kernel refuses to wait.
 */
static int await_byte(void *arg)
{
    const struct turn *turn = arg;
    int fd = turn->place->fd;

    if (!is_ours(turn->place) || apply(fd, F_OFD_SETLKW, F_WRLCK, turn->byte, 1) != 0)
        return -ESTALE;
    return apply(fd, F_OFD_SETLK, F_UNLCK, turn->byte, 1) == 0 ? 0 : -ESTALE;
}

/* Unlocks the byte of an earlier waiter, which the helper may have got just before its wait was ended. */
static void unlock_earlier(const struct turn *turn)
{
    if (is_ours(turn->place))
        (void) apply(turn->place->fd, F_OFD_SETLK, F_UNLCK, turn->byte, 1);
}

/*
 * Waits for one earlier waiter after the other, for this many ns.
 *   TAKEN  no earlier waiter is there any more
 *   AGAIN  there was none
 *   else   what ended the wait, as flk_helper_call() returns it; -ETIMEDOUT also after the ns
 */
static enum outcome await_earlier(const struct queue *queue, const struct limits *limits, int64_t ns)
{
    struct limits patient = flk_limits_within(limits, ns);
    struct turn turn;
    int rc = AGAIN;

    while ((rc == AGAIN || rc == TAKEN) && find_turn(queue, &turn)) {
        rc = flk_helper_call(await_byte, &turn, &patient);
        if (rc != TAKEN)
            unlock_earlier(&turn);
    }
    return rc;
}

/* True if the path names no marker, so that an earlier waiter should have gone on. */
static bool is_free(const char *path)
{
    struct identity id;

    return flk_error_no_file(flk_file_path_identity(path, false, &id));
}

/* True if the wait for earlier waiters has ended only because the patience is over. */
static bool is_impatient(enum outcome rc, const struct limits *limits)
{
    return rc == -ETIMEDOUT && flk_limits_left(limits) != 0;
}

enum outcome flk_queue_wait(struct queue *queue, const char *path, const struct limits *limits)
{
    struct turn turn;
    enum outcome rc;

    if (!find_turn(queue, &turn))
        return TAKEN;
    rc = await_earlier(queue, limits, PATIENCE);
    if (is_impatient(rc, limits)) {
        if (!is_free(path))
            return CONTENDED;
        rc = await_earlier(queue, limits, GRACE);
        if (is_impatient(rc, limits))
            return is_free(path) ? AGAIN : CONTENDED; /* a waiter that is not stopped would have taken it */
    }
    if (rc == TAKEN || rc == AGAIN)
        return AGAIN;
    if (!flk_is_limit(rc))
        (void) flk_queue_leave(queue);
    return flk_is_limit(rc) ? rc : TAKEN;
}
