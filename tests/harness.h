/* SPDX-License-Identifier: MIT
 *
 * harness.h - what main.c tells the rest of a test program.
 */
#ifndef HARNESS_H
#define HARNESS_H

/* Returns the directory of the tests' scratch directories.  It is removed when the program ends. */
const char *harness_directory(void);

/* Reports a test, or a part of it, that is not run here. */
void harness_skipped(const char *test, const char *reason);

/* True if tests are to be counted only, and not run. */
int harness_counts(void);

#endif
