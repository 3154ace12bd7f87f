/* SPDX-License-Identifier: MIT
 *
 * A row in the table of kinds, for an operating system's lock: the kind and its backend.
 */
#ifndef FLK_OS_KIND_H
#define FLK_OS_KIND_H

#include "kind.h"
#include "os/backend.h"

struct os_kind {
    struct kind kind;
    struct backend backend;
};

/* Returns the backend of a target whose kind is an operating system's. */
static inline const struct backend *flk_backend_of(const struct target *target)
{
    return &((const struct os_kind *) (const void *) target->kind)->backend;
}

#endif
