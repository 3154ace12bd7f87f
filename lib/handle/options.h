/* SPDX-License-Identifier: MIT
 *
 * Options of a caller.
 */
#ifndef FLK_OPTIONS_H
#define FLK_OPTIONS_H

#include "kind.h"

/*
 * Reads and checks the options for a new handle, and finds their kind.  given: NULL for the defaults.  descriptor: true
 * if the handle is for a descriptor.  Returns 0, -EINVAL or -ENOTSUP.
 */
int flk_options_read(const struct filelock_options *given, bool descriptor, struct filelock_options *o,
                     const struct kind **kind);

/* Reads and checks the options for a new handle of a provider's kind.  Returns 0 or -EINVAL. */
int flk_options_read_for_provider(const struct filelock_options *given, const struct kind *kind,
                                  struct filelock_options *o);

/*
 * Returns the length of the range that the options name for a kind.  A range up to the last byte ends at a number that
 * int64_t lacks.  If 0 means up to the end for this kind, returns 0: that is the same range, and no sum of start and
 * length overflows.
 */
int64_t flk_options_range(const struct filelock_options *o, const struct kind *kind);

#endif
