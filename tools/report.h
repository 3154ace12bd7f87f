/* SPDX-License-Identifier: MIT
 *
 * report.h - what the tool says on standard error, and the statuses it exits with.
 */
#ifndef REPORT_H
#define REPORT_H

/* The names and numbers of sysexits.h, which not every platform has. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILURE = 1,
    STATUS_USAGE = 64,
    STATUS_DATAERR = 65,
    STATUS_NOINPUT = 66,
    STATUS_UNAVAILABLE = 69,
    STATUS_OSERR = 71,
    STATUS_CANTCREAT = 73
};

#define TOOL_NAME "filelock"

#ifdef __GNUC__
#define REPORT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define REPORT_PRINTF(text, first)
#endif

/* Writes "filelock: ", the sentence and a newline to standard error. */
void complain(const char *sentence, ...) REPORT_PRINTF(1, 2);

/* The status that flock(1) exits with when a lock cannot be had for this reason (an errno value). */
int status_of_error(int error);

#endif
