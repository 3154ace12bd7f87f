/* SPDX-License-Identifier: MIT
 *
 * Texts of errors, in the terms of this library, or else in those of the system.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <filelock.h>

struct meaning {
    int error;
    const char *text;
};

static const struct meaning meanings[] = {
    { 0, "success" },
    { EINVAL, "a bad argument or option" },
    { ENOTSUP, "this kind of lock is not supported here" },
    { ETIMEDOUT, "somebody else holds it" },
    { ECANCELED, "the wait was cancelled" },
    { EDEADLK, "it would wait for itself" },
    { EINPROGRESS, "it is under way" },
    { EALREADY, "an attempt is under way already" },
    { EINTR, "a signal interrupted the wait" },
    { EPERM, "not held, or not permitted" },
    { ESTALE, "the path no longer names the locked file" },
    { ELOOP, "the path is a symbolic link" },
    { ENOENT, "no such file or directory" },
    { EISDIR, "a directory cannot be locked this way" },
    { EEXIST, "the file is not a lock file of this kind" },
    { EHOSTUNREACH, "the host cannot be reached" },
    { EILSEQ, "the path is not UTF-8" },
    { EOVERFLOW, "acquired too many times" },
};

const char *filelock_strerror(int error)
{
    int number = error < 0 && error != INT_MIN ? -error : error;

    for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (meanings[i].error == number)
            return meanings[i].text;
    /* Safe for threads in the C libraries that this is built with (glibc since 2.32, musl). */
    return strerror(number);
}
