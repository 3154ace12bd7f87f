/* SPDX-License-Identifier: MIT
 *
 * history.c - which participant was inside when: a log in shared memory, and its judge.
 */
#include "history.h"

#include <string.h>

#define MARGIN 4096

int history_full(const struct history *history)
{
    return __atomic_load_n(&history->length, __ATOMIC_SEQ_CST) > HISTORY_EVENTS - MARGIN;
}

void history_add(struct history *history, uint32_t who, enum event event)
{
    uint32_t at = __atomic_fetch_add(&history->length, 1, __ATOMIC_SEQ_CST);
    if (at < HISTORY_EVENTS)
        __atomic_store_n(&history->events[at], who * 8 + (uint32_t) event, __ATOMIC_SEQ_CST);
}

/* The participants that are inside, as far as the log has been read. */
struct room {
    unsigned char inside[HISTORY_PEOPLE]; /* the event that the participant entered with, or NONE */
    unsigned char doomed[HISTORY_PEOPLE];
    uint32_t highest;
};

/* Returns the number of a live participant that `who` must not meet inside, plus 1; 0 if there is none. */
static uint32_t in_the_way(const struct room *room, uint32_t who, enum event event)
{
    for (uint32_t i = 0; i <= room->highest; i++)
        if (i != who && !room->doomed[i] &&
            (room->inside[i] == EVENT_ENTERS_WRITING ||
             (room->inside[i] == EVENT_ENTERS_READING && event == EVENT_ENTERS_WRITING)))
            return i + 1;
    return 0;
}

static int is_together(const struct room *room, uint32_t who)
{
    for (uint32_t i = 0; i <= room->highest; i++)
        if (i != who && room->inside[i] == EVENT_ENTERS_READING && !room->doomed[i])
            return 1;
    return 0;
}

static const char *take_note(struct room *room, struct judgement *judgement, uint32_t who, enum event event)
{
    uint32_t other;
    judgement->who = judgement->other = who;
    switch (event) {
    case EVENT_ENTERS_WRITING:
    case EVENT_ENTERS_READING:
        if (room->inside[who])
            return "it enters twice";
        if ((other = in_the_way(room, who, event)) != 0) {
            judgement->other = other - 1;
            return "two are inside who may not be";
        }
        judgement->writers += event == EVENT_ENTERS_WRITING;
        judgement->readers += event == EVENT_ENTERS_READING;
        judgement->together += event == EVENT_ENTERS_READING && is_together(room, who);
        room->inside[who] = (unsigned char) event;
        return NULL;
    case EVENT_LEAVES:
        if (!room->inside[who])
            return "it leaves without having been inside";
        room->inside[who] = EVENT_NONE;
        return NULL;
    default:
        room->doomed[who] = 1;
        return NULL;
    }
}

struct judgement history_judge(const struct history *history)
{
    static struct room room;
    struct judgement judgement = { NULL, 0, 0, 0, 0, 0 };
    memset(&room, 0, sizeof room);
    for (uint32_t i = 0; i < history->length && i < HISTORY_EVENTS && !judgement.wrong; i++) {
        uint32_t who = history->events[i] / 8;
        enum event event = (enum event)(history->events[i] % 8);
        if (who >= HISTORY_PEOPLE)
            judgement.wrong = "it is nobody";
        else if (event != EVENT_NONE) {
            room.highest = who > room.highest ? who : room.highest;
            judgement.wrong = take_note(&room, &judgement, who, event);
        }
    }
    return judgement;
}
