/* SPDX-License-Identifier: MIT
 *
 * history.h - which participant was inside when: a log in shared memory, and its judge.
 *
 * A participant logs that it enters after its acquire, and that it leaves before its release.
 * So if two are inside at once, the log too has the second entering before the first leaves.  The judge knows nothing
 * of locks.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum event {
    EVENT_NONE, /* the participant was killed before it wrote its event */
    EVENT_ENTERS_WRITING,
    EVENT_ENTERS_READING,
    EVENT_LEAVES,
    EVENT_DOOMED /* the participant is about to be killed: it may have been inside, and never leaves */
};

#define HISTORY_EVENTS (1 << 20)
#define HISTORY_PEOPLE 4096 /* bounds the numbers of the participants */

struct history {
    uint32_t length;
    uint32_t events[HISTORY_EVENTS]; /* who * 8 + event */
};

/* True when there is no room for many more events. */
int history_full(const struct history *history);

void history_add(struct history *history, uint32_t who, enum event event);

/*
 * The verdict: what is wrong, or NULL; how often writers and readers entered; how often a reader entered while another
 * was inside.
 */
struct judgement {
    const char *wrong;
    uint32_t who, other; /* the participants it is about */
    long writers, readers, together;
};

/* Judges a history that no participant adds to any more. */
struct judgement history_judge(const struct history *history);

#endif
