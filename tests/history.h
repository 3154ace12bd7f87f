/* SPDX-License-Identifier: MIT
 *
 * history.h - who was inside when: an account in shared memory, and its judge.
 *
 * Everyone writes that he is inside after his acquire and before his release.  So of two who were inside at
 * once one has entered before the other has left, in the account too.  The judge knows nothing of locks.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum event {
    EVENT_NONE, /* of somebody who was killed before he could say it */
    EVENT_ENTERS_WRITING,
    EVENT_ENTERS_READING,
    EVENT_LEAVES,
    EVENT_DOOMED /* he is about to be killed: he may have been inside, and never leaves */
};

#define HISTORY_EVENTS (1 << 20)
#define HISTORY_PEOPLE 4096 /* numbers of those who take part */

struct history {
    uint32_t length;
    uint32_t events[HISTORY_EVENTS]; /* who * 8 + event */
};

/* 1 when there is no room for many more. */
int history_full(const struct history *history);

void history_add(struct history *history, uint32_t who, enum event event);

/* What is wrong with it, or NULL; how often somebody was let in, and readers together with others. */
struct judgement {
    const char *wrong;
    uint32_t who, other; /* whom it is about */
    long writers, readers, together;
};

/* Only of a history that nobody adds to any more. */
struct judgement history_judge(const struct history *history);

#endif
