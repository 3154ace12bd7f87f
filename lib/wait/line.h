/* SPDX-License-Identifier: MIT
 *
 * Lines: threads of this process that wait for the same thing stand in line.  Only the first watches, or has its call
 * made.
 *
 * So a thousand threads that wait for one file need a single helper thread.
 */
#ifndef FLK_LINE_H
#define FLK_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "system/lifetime.h"
#include "system/list.h"
#include "wait/limits.h"
#include "wait_types.h"

/* What a call waits for.  One call of those with the same key is made at a time.  size 0: the call is made at once. */
struct call_key {
    size_t size;
    unsigned char bytes[64];
};

/* True if calls with these keys wait for the same. */
bool flk_same_call(const struct call_key *a, const struct call_key *b);

/* A thread's place.  It is not moved in memory until the thread has left.  All zero: the thread stands in no line. */
struct line_place {
    struct link link;
    struct call_key key;
    bool taken;           /* the thread stands in the line of the key */
    bool first;           /* no thread stands before this one */
    struct wakeup wakeup; /* is signalled when the thread becomes the first; only if `waits` */
    bool waits;
};

/*
 * Takes the place at the end of the line of the key, unless the thread stands in that line.  If it stands in another, it
 * leaves that.  limits: those of a wait in line.  True if the thread is the first.
 */
bool flk_line_take(struct line_place *place, const struct call_key *key, const struct limits *limits);

/* Waits within limits until the thread is the first in its line.  Returns 0, or as flk_wakeup_wait() does. */
int flk_line_wait(struct line_place *place, const struct limits *limits);

/* Leaves the line, if the thread stands in one. */
void flk_line_leave(struct line_place *place);

/* Forgets the lines in a child, which has none of their threads. */
extern const struct subscriber flk_lines_subscriber;

#endif
