/* SPDX-License-Identifier: MIT
 *
 * The attendant: a thread of the library that looks after all errands of the process.  It ends when there has been no
 * errand for a while.
 */
#ifndef FLK_ATTEND_H
#define FLK_ATTEND_H

#include "system/lifetime.h"
#include "wait/errand.h"

/*
 * Gives an errand to the attendant, which looks at once.  The errand stays where it is until tell_over() or discard()
 * is called.  Returns 0 or -EAGAIN: no thread is to be had, or the attendant has another table of open files than the
 * caller.
 */
int flk_attend(struct errand *errand);

/* Makes the attendant look at an errand, which may be over already, or not yet given to the attendant. */
void flk_attend_poke(struct errand *errand);

/*
 * Takes an errand away from the attendant, and ends its call.  Returns when the attendant no longer looks at it.  The
 * caller holds no mutex.
 *   true   the errand is the caller's, up to flk_attend_discard()
 *   false  the errand was over: tell_over() was called
 */
bool flk_attend_leave(struct errand *errand);

/* Gives an errand that was left to the attendant, to be discarded. */
void flk_attend_discard(struct errand *errand);

/* Lets the attendant end as soon as it has no errand: for when no handle is left. */
void flk_attend_rest(void);

/* Forgets the errands in a child.  At the end of the process, ends the attendant, also if there are errands. */
extern const struct subscriber flk_attendant_subscriber;

#endif
