/* SPDX-License-Identifier: MIT
 *
 * report.c - messages on standard error, and the exit status that belongs to an error.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void complain(const char *sentence, ...)
{
    va_list arguments;

    /* Before it, whatever was said on standard output: the two are often one terminal or file. */
    fflush(stdout);
    fputs(TOOL_NAME ": ", stderr);
    va_start(arguments, sentence);
    vfprintf(stderr, sentence, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

int status_of_error(int error)
{
    switch (error) {
    case EROFS:
    case ENOSPC:
        return STATUS_CANTCREAT;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOLCK:
    case EAGAIN:
        return STATUS_OSERR;
    /* What open says of a path; a lock says other things. */
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case ETXTBSY:
    case ENXIO:
    case ENODEV:
        return STATUS_NOINPUT;
    default:
        return STATUS_DATAERR;
    }
}
