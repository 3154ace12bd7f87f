/* SPDX-License-Identifier: MIT
 *
 * The queue of the waiters for a soft lock, in the order in which their waits began.
 *
 * The queue only says who tries first.  Each try is safe without it: doc/soft.md, "Queue".
 */
#ifndef FLK_QUEUE_H
#define FLK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"

/* A place in the queue at a marker. */
struct queue_place {
    int fd; /* the marker, open for writing; -1: no place */
    struct identity id;
};

/* A waiter in the queue.  The places change with the guard taken, so that a forked child finds them whole. */
struct queue {
    struct queue_place here;   /* at the marker that is in the way */
    struct queue_place before; /* at the marker that was in the way before; later waiters wait there */
    int64_t ticket;            /* the waiter's number; 0: it has none yet */
};

void flk_queue_init(struct queue *queue);

/* Gives the waiter its ticket before it takes a place, unless it has one. */
void flk_queue_arrive(struct queue *queue);

/*
 * Takes a place at the marker at the path, unless the waiter has one there.  id: the marker that was looked at, which
 * holds the record of a process.
 *   TAKEN  the waiter has a place there; or no place can be had, and the waiter is not in the queue any more
 *   AGAIN  the path names another marker, or none: look again
 */
enum outcome flk_queue_enter(struct queue *queue, const char *path, const struct identity *id);

/*
 * Waits within limits until no earlier waiter is seen, but no longer than an earlier waiter should take.
 *   TAKEN                                    no earlier waiter is seen, or the waiter is not in the queue
 *   AGAIN                                    it waited, and may try
 *   CONTENDED                                it waited for long: it has to look at the marker, but not to try
 *   -ETIMEDOUT, -ECANCELED, -EINTR, -EINVAL  a limit was reached
 */
enum outcome flk_queue_wait(struct queue *queue, const char *path, const struct limits *limits);

/* Gives the places up, but not the ticket.  True if there were any. */
bool flk_queue_leave(struct queue *queue);

/* Closes the copies of the places in a forked child, and keeps those of the parent.  Is async-signal-safe. */
void flk_queue_forked(struct queue *queue);

#endif
