/* SPDX-License-Identifier: MIT
 *
 * Handles at the end of a thread, at the end of the process, and at a fork.
 */
#ifndef FLK_ENDS_H
#define FLK_ENDS_H

#include "system/lifetime.h"

extern const struct subscriber flk_handles_subscriber;

#endif
