/* SPDX-License-Identifier: MIT
 *
 * handles.h - handles for what the command line names.
 */
#ifndef HANDLES_H
#define HANDLES_H

#include "options.h"
#include "report.h"

#include <filelock.h>

/* Makes a handle for what the options name, or says why there is none. */
enum outcome handle_make(struct filelock **lock, const struct tool_options *options);

#endif
