/* SPDX-License-Identifier: MIT
 *
 * Lines: threads of this process that wait for the same stand in line, and only the first has its call made.
 *
 * So a thousand threads that wait for one file need a single helper thread.
 */
#ifndef FLK_LINE_H
#define FLK_LINE_H

#include <stdbool.h>

#include "system/lifetime.h"
#include "system/list.h"
#include "wait/limits.h"
#include "wait/lookout.h"
#include "wait_types.h"

/* A thread in a line.  It stays where it is until it has left. */
struct line_place {
    struct link link;
    const struct call_key *key;
    bool first;           /* the thread's call may be made */
    struct wakeup wakeup; /* is signalled when the thread becomes the first; only if `waits` */
    bool waits;
};

/*
 * Joins the line of the key at its end, and waits within limits until the thread is the first.  Returns 0, or as
 * flk_wakeup_wait() does.  Caller leaves the line in any case.
 */
int flk_line_join(struct line_place *place, const struct call_key *key, const struct limits *limits);
void flk_line_leave(struct line_place *place);

/* Forgets the lines in a child, which has none of their threads. */
extern const struct subscriber flk_lines_subscriber;

#endif
