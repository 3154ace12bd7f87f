/* SPDX-License-Identifier: MIT
 *
 * No queue: every waiter tries when the marker goes, and any of them may be next.
 */
#include "config.h"

#include "soft/queue.h"

void flk_queue_init(struct queue *queue)
{
    *queue = (struct queue) { .here = { .fd = -1 }, .before = { .fd = -1 } };
}

void flk_queue_arrive(struct queue *queue)
{
    (void) queue;
}

enum outcome flk_queue_enter(struct queue *queue, const char *path, const struct identity *id)
{
    (void) queue;
    (void) path;
    (void) id;
    return TAKEN;
}

enum outcome flk_queue_wait(struct queue *queue, const char *path, const struct limits *limits)
{
    (void) queue;
    (void) path;
    (void) limits;
    return TAKEN;
}

bool flk_queue_leave(struct queue *queue)
{
    (void) queue;
    return false;
}

void flk_queue_forked(struct queue *queue)
{
    (void) queue;
}
