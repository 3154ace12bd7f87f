/* SPDX-License-Identifier: MIT
 *
 * list_none.c - for systems that list no locks, and whose directories this tool does not walk through.
 */
#include "list.h"

enum outcome list_tell(const struct tool_options *options)
{
    (void) options;
    complain("this system lists no locks: --who asks about one file");
    return OUTCOME_UNAVAILABLE;
}
