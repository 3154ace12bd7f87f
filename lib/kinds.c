/* SPDX-License-Identifier: MIT
 *
 * The table of the kinds that configure found.
 */
#include "config.h"

#include "kind.h"
#include "os/os_kind.h"
#include "provider/provider.h"

#define DECLARE_OS(name) extern const struct os_kind flk_kind_##name;
#define DECLARE(name) extern const struct kind flk_kind_##name;
LINKED_KINDS(DECLARE_OS, DECLARE)

#define OS_ROW(name) &flk_kind_##name.kind,
#define ROW(name) &flk_kind_##name,
static const struct kind *const linked[] = { LINKED_KINDS(OS_ROW, ROW) };

const struct kind *flk_kind_find(int id)
{
    if (id == FILELOCK_KIND_DEFAULT)
        return &DEFAULT_KIND.kind;
    for (size_t i = 0; i < sizeof(linked) / sizeof(*linked); i++)
        if (linked[i]->id == id)
            return linked[i];
    return NULL;
}

int filelock_supported(int kind)
{
    return flk_kind_find(kind) != NULL;
}

#define NAME(constant, name) [FILELOCK_KIND_##constant] = #name,

/* Names a kind even if it is not linked: a program may want to say what is missing. */
const char *filelock_kind_name(int kind)
{
    static const char *const names[] = { [FILELOCK_KIND_DEFAULT] = "default", KNOWN_KINDS(NAME) };

    if (kind < 0 || (size_t) kind >= sizeof(names) / sizeof(*names))
        return flk_provider_name(kind);
    return names[kind];
}
