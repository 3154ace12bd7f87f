/* SPDX-License-Identifier: MIT
 *
 * names.c - results by name, for every error that <filelock.h> documents and some that it may pass on.
 */
#include "names.h"

#include <errno.h>
#include <filelock.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    int result;
    const char *name;
} names[] = {
    { 0, "0" },
    { -ETIMEDOUT, "-ETIMEDOUT" },
    { -ECANCELED, "-ECANCELED" },
    { -EDEADLK, "-EDEADLK" },
    { -EINTR, "-EINTR" },
    { -ELOOP, "-ELOOP" },
    { -ENOENT, "-ENOENT" },
    { -EACCES, "-EACCES" },
    { -EPERM, "-EPERM" },
    { -EROFS, "-EROFS" },
    { -EISDIR, "-EISDIR" },
    { -ESTALE, "-ESTALE" },
    { -EBUSY, "-EBUSY" },
    { -EALREADY, "-EALREADY" },
    { -EINPROGRESS, "-EINPROGRESS" },
    { -ENOTSUP, "-ENOTSUP" },
    { -EINVAL, "-EINVAL" },
    { -EOVERFLOW, "-EOVERFLOW" },
    { -ENAMETOOLONG, "-ENAMETOOLONG" },
    { -ENOTDIR, "-ENOTDIR" },
    { -ENOSPC, "-ENOSPC" },
    { -EMFILE, "-EMFILE" },
    { -ENFILE, "-ENFILE" },
    { -ENOMEM, "-ENOMEM" },
    { -ENOLCK, "-ENOLCK" },
    { -EIO, "-EIO" },
    { -EBADF, "-EBADF" },
    { -EAGAIN, "-EAGAIN" },
    { -EEXIST, "-EEXIST" },
    { -EILSEQ, "-EILSEQ" },
};

const char *named_result(int index, int *result)
{
    if (index < 0 || (size_t) index >= sizeof names / sizeof *names)
        return NULL;
    *result = names[index].result;
    return names[index].name;
}

const char *result_name(int result)
{
    static char digits[2][16];
    static int turn;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].result == result)
            return names[i].name;
    turn = !turn;
    snprintf(digits[turn], sizeof digits[turn], "%d", result);
    return digits[turn];
}
