/* SPDX-License-Identifier: MIT
 *
 * The table of the kinds that configure found.
 */
#include "config.h"

#include "kind.h"

#define DECLARE(name) extern const struct kind flk_kind_##name;
LINKED_KINDS(DECLARE)

#define ROW(name) &flk_kind_##name,
static const struct kind *const linked[] = { LINKED_KINDS(ROW) };

const struct kind *flk_kind_find(int id)
{
    if (id == FILELOCK_KIND_DEFAULT)
        return &DEFAULT_KIND;
    for (size_t i = 0; i < sizeof(linked) / sizeof(*linked); i++)
        if (linked[i]->id == id)
            return linked[i];
    return NULL;
}

int filelock_supported(int kind)
{
    return flk_kind_find(kind) != NULL;
}

/* Named whether linked or not: a program may want to say what is missing. */
const char *filelock_kind_name(int kind)
{
    static const char *const names[] = {
        [FILELOCK_KIND_DEFAULT] = "default", [FILELOCK_KIND_FLOCK] = "flock", [FILELOCK_KIND_OFD] = "ofd",
        [FILELOCK_KIND_WIN32] = "win32",     [FILELOCK_KIND_SOFT] = "soft",
    };

    if (kind < 0 || (size_t) kind >= sizeof(names) / sizeof(*names))
        return NULL;
    return names[kind];
}
