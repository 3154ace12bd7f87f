/* SPDX-License-Identifier: MIT
 *
 * doctor.h - tries which kinds of lock work in a directory.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "options.h"
#include "report.h"

/*
 * Tries every kind with real processes, and prints what was found.  Returns
 *   OUTCOME_DONE  the judged kind excludes: the default kind, or the kind that the options name
 *   OUTCOME_NONE  it does not
 *   another       nothing could be tried; a sentence has said why
 */
enum outcome doctor_examine(const struct tool_options *options);

/* Tries every kind together with a doctor on another machine, which it meets in the directory.  Returns as
 * doctor_examine() does. */
enum outcome doctor_meet(const struct tool_options *options);

#endif
