/* SPDX-License-Identifier: MIT
 *
 * Reading and checking the options of a caller.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "handle/options.h"
#include "kind.h"
#include "wait/wakeup.h"

#define FLAGS_KNOWN                                                                                                \
    (FILELOCK_ANY_THREAD | FILELOCK_FORK_SHARE | FILELOCK_KEEP_ON_EXEC | FILELOCK_UNLINK | FILELOCK_MAKE_PARENTS | \
     FILELOCK_FOLLOW_SYMLINK | FILELOCK_INTERRUPTIBLE | FILELOCK_RECORD_OWNER | FILELOCK_NEVER_BREAK)

#define FLAGS_OF_PATHS (FILELOCK_UNLINK | FILELOCK_MAKE_PARENTS | FILELOCK_FOLLOW_SYMLINK | FILELOCK_KEEP_ON_EXEC)

/* The flags that have a meaning for a lock that is no file. */
#define FLAGS_OF_PROVIDERS (FILELOCK_ANY_THREAD | FILELOCK_INTERRUPTIBLE)

static bool all_zero(const unsigned char *bytes, size_t size)
{
    while (size > 0 && *bytes == 0)
        bytes++, size--;
    return size == 0;
}

/* The size of the struct in release 0.1.0, where it ended before lease_ms. */
#define FIRST_OPTIONS_SIZE offsetof(struct filelock_options, lease_ms)

/*
 * Reads the options of a program that may be compiled with another release.  Members that its struct lacks are zero.  A
 * longer struct is accepted if all its unknown members are zero.  Returns 0 or -EINVAL.
 */
static int read_options(const struct filelock_options *given, struct filelock_options *options)
{
    static const struct filelock_options defaults = FILELOCK_OPTIONS_INIT;

    *options = defaults;
    if (given == NULL)
        return 0;
    if (given->size == FIRST_OPTIONS_SIZE) {
        memcpy(options, given, FIRST_OPTIONS_SIZE);
        return 0;
    }
    if (given->size < sizeof(*options))
        return -EINVAL;
    if (!all_zero((const unsigned char *) given + sizeof(*options), given->size - sizeof(*options)))
        return -EINVAL;
    *options = *given;
    return 0;
}

static bool valid_options(const struct filelock_options *o)
{
    return (o->flags & ~FLAGS_KNOWN) == 0 && (o->timeout_ms >= 0 || o->timeout_ms == FILELOCK_FOREVER) &&
           o->file_mode <= 07777 && o->lease_ms >= 0 && flk_waitable_valid(o->cancel) && o->range_start >= 0 &&
           o->range_length >= 0 && (o->range_length == 0 || o->range_length - 1 <= INT64_MAX - o->range_start);
}

int64_t flk_options_range(const struct filelock_options *o, const struct kind *kind)
{
    if (o->range_length == 0)
        return kind->default_range_length;
    return kind->default_range_length == 0 && o->range_length > INT64_MAX - o->range_start ? 0 : o->range_length;
}

static bool fits_kind(const struct filelock_options *o, const struct kind *kind)
{
    bool range = o->range_start != 0 || o->range_length != 0;

    return (!range || (kind->abilities & CAN_RANGE) != 0) && (o->lease_ms == 0 || (kind->abilities & EXPIRES) != 0);
}

static bool fits_descriptor(const struct filelock_options *o, const struct kind *kind)
{
    return (kind->abilities & CAN_LOCK_DESCRIPTOR) != 0 && (o->flags & FLAGS_OF_PATHS) == 0 && o->file_mode == 0;
}

int flk_options_read(const struct filelock_options *given, bool descriptor, struct filelock_options *o,
                     const struct kind **kind)
{
    int rc = read_options(given, o);

    if (rc != 0)
        return rc;
    if (!valid_options(o) || filelock_kind_name(o->kind) == NULL)
        return -EINVAL;
    *kind = flk_kind_find(o->kind);
    if (*kind == NULL)
        return -ENOTSUP;
    if (!fits_kind(o, *kind) || (descriptor && !fits_descriptor(o, *kind)))
        return -EINVAL;
    return 0;
}

int flk_options_read_for_provider(const struct filelock_options *given, const struct kind *kind,
                                  struct filelock_options *o)
{
    int rc = read_options(given, o);

    if (rc != 0)
        return rc;
    if (!valid_options(o) || o->kind != FILELOCK_KIND_DEFAULT || (o->flags & ~FLAGS_OF_PROVIDERS) != 0 ||
        o->file_mode != 0 || !fits_kind(o, kind))
        return -EINVAL;
    return 0;
}
