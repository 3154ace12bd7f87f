/* SPDX-License-Identifier: MIT
 *
 * The parts of the library that are told of forks and ends.
 */
#ifndef FLK_SUBSCRIBERS_H
#define FLK_SUBSCRIBERS_H

#include "system/lifetime.h"

/* The parts that are told of forks and ends, in this order; the list ends with NULL. */
extern const struct subscriber *const flk_subscribers[];

#endif
