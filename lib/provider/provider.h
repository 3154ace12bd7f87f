/* SPDX-License-Identifier: MIT
 *
 * The kinds of providers (filelock-provider.h).
 */
#ifndef FLK_PROVIDER_H
#define FLK_PROVIDER_H

#include <filelock-provider.h>

#include "kind.h"

/*
 * Finds the kind of a provider's table, and makes it if this is the first use of the table.  Returns 0, -EINVAL,
 * -ENOTSUP or -ENOMEM.
 */
int flk_provider_kind(const struct filelock_provider *provider, const struct kind **kind);

/* Returns the name of the provider whose kind has this number.  NULL: there is none. */
const char *flk_provider_name(int id);

#endif
