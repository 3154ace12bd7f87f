/* SPDX-License-Identifier: MIT
 *
 * The parts of the library that are told of ends.
 */
#include "config.h"

#include <stddef.h>

#include "handle/ends.h"
#include "handle/subscribers.h"
#include "system/lifetime.h"

const struct subscriber *const flk_subscribers[] = { &flk_handles_subscriber, NULL };
