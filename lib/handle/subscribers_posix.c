/* SPDX-License-Identifier: MIT
 *
 * The parts of the library that are told of forks and ends.
 */
#include "config.h"

#include <stddef.h>

#include "handle/attempt.h"
#include "handle/ends.h"
#include "handle/subscribers.h"
#include "owner/process_id.h"
#include "soft/renewal.h"
#include "system/lifetime.h"
#include "wait/attend.h"
#include "wait/crowd.h"
#include "wait/helper.h"
#include "wait/line.h"
#include "wait/wakeup.h"
#include "wait/watch.h"

/*
 * In a child, the parent's process is forgotten first, so that the handles find the child's.  Handles give up their
 * files before the waits that used them.  At the end, soft locks are released while helpers can still be used.
 */
const struct subscriber *const flk_subscribers[] = {
    &flk_process_subscriber,
    &flk_attempts_subscriber,
    &flk_handles_subscriber,
    &flk_renewals_subscriber,
    &flk_wakeups_subscriber,
    &flk_watches_subscriber,
    &flk_crowd_subscriber,
    &flk_attendant_subscriber,
    &flk_helpers_subscriber,
    &flk_lines_subscriber,
    NULL,
};
