/* SPDX-License-Identifier: MIT
 *
 * list.h - tells of all locks, or of those below a directory; one list_*.c is linked.
 */
#ifndef LIST_H
#define LIST_H

#include "options.h"
#include "report.h"

/*
 * Writes a line for each process that holds a lock or waits for it, as far as this user may see it.  If the options
 * have a path, only locks on files below that directory count, and soft locks too: their markers have to be looked for.
 */
enum outcome list_tell(const struct tool_options *options);

#endif
