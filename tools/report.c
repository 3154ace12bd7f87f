/* SPDX-License-Identifier: MIT
 *
 * report.c - writes messages to standard error, and turns outcomes into exit statuses.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void complain(const char *sentence, ...)
{
    va_list arguments;

    /* The two streams are often one terminal or file: what was printed earlier must come first. */
    fflush(stdout);
    fputs(TOOL_NAME ": ", stderr);
    va_start(arguments, sentence);
    vfprintf(stderr, sentence, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

enum outcome report_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return OUTCOME_DONE;
    complain("cannot write to standard output: %s", strerror(errno));
    clearerr(stdout);
    return OUTCOME_FAILURE;
}

enum outcome outcome_of_error(int error)
{
    switch (error) {
    case EROFS:
    case ENOSPC:
        return OUTCOME_CANTCREAT;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
    case EAGAIN:
        return OUTCOME_OSERR;
    /* Errors of open(2) about a path; locking does not fail with these. */
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case ETXTBSY:
    case ENXIO:
    case ENODEV:
        return OUTCOME_NOINPUT;
    case EHOSTUNREACH: /* no endpoint of a cluster answers */
        return OUTCOME_UNAVAILABLE;
    default:
        return OUTCOME_DATAERR;
    }
}

int report_status(enum outcome outcome, int conflict_status)
{
    /* The numbers are those of sysexits.h: not every platform has that header. */
    switch (outcome) {
    case OUTCOME_DONE:
        return 0;
    case OUTCOME_CONFLICT:
        return conflict_status;
    case OUTCOME_USAGE:
        return 64;
    case OUTCOME_DATAERR:
        return 65;
    case OUTCOME_NOINPUT:
        return 66;
    case OUTCOME_UNAVAILABLE:
        return 69;
    case OUTCOME_OSERR:
        return 71;
    case OUTCOME_CANTCREAT:
        return 73;
    case OUTCOME_TEMPFAIL:
        return 75;
    case OUTCOME_NONE:
    case OUTCOME_FAILURE:
        break;
    }
    return 1;
}
