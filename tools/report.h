/* SPDX-License-Identifier: MIT
 *
 * report.h - messages of the tool on standard error, and outcomes of its steps.
 */
#ifndef REPORT_H
#define REPORT_H

/*
 * How a step of the tool ended.  An outcome is no exit status, so it cannot be mistaken for a status that the caller
 * has chosen.  At the very end, report_status() turns the last outcome into a status.
 */
enum outcome {
    OUTCOME_DONE,     /* what was asked for is done: go on */
    OUTCOME_CONFLICT, /* another process holds the lock; nothing is run */
    OUTCOME_NONE,     /* there is no holder to name, or no marker to remove */
    OUTCOME_FAILURE,  /* EXIT_FAILURE; the outcomes below are the EX_* of sysexits.h */
    OUTCOME_USAGE,
    OUTCOME_DATAERR,
    OUTCOME_NOINPUT,
    OUTCOME_UNAVAILABLE,
    OUTCOME_OSERR,
    OUTCOME_CANTCREAT,
    OUTCOME_TEMPFAIL /* the lock was lost while the command ran */
};

/* Bounds a sentence: room for a path (4096), and for what is said about it. */
#define SENTENCE_SIZE (4096 + 512)

#define TOOL_NAME "filelock"

#ifdef __GNUC__
#define REPORT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define REPORT_PRINTF(text, first)
#endif

/* Writes "filelock: ", the sentence and a newline to standard error. */
void complain(const char *sentence, ...) REPORT_PRINTF(1, 2);

/* Makes sure that what was printed got to standard output.  Else returns OUTCOME_FAILURE, after saying why. */
enum outcome report_flush(void);

/* Returns how flock(1) ends if it fails with this errno value: never OUTCOME_DONE or OUTCOME_CONFLICT. */
enum outcome outcome_of_error(int error);

/* Returns the exit status for an outcome.  conflict_status is the one that the caller wants for a conflict. */
int report_status(enum outcome outcome, int conflict_status);

#endif
