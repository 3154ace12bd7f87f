/* SPDX-License-Identifier: MIT
 *
 * The state of a gate, as a handle keeps it.
 */
#ifndef FLK_GATE_STATE_H
#define FLK_GATE_STATE_H

#include "system/thread.h"

struct waiter;

enum gate_state { GATE_FREE, GATE_BUSY, GATE_HELD };

struct gate {
    enum gate_state state;
    thread_id owner; /* unless FREE */
    struct waiter *first, *last;
};

#endif
