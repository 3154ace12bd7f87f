/* SPDX-License-Identifier: MIT
 *
 * peer_python.c - Python's filelock, in an interpreter that runs peer_python.py
 */
#include <config.h>

#include "subject.h"

#include <stddef.h>
#include <unistd.h>

static void serve(const struct subject *subject, const char *path)
{
    execl(BENCH_PYTHON, BENCH_PYTHON, BENCH_SCRIPT, (const char *) subject->variant, path, (char *) NULL);
}

extern const struct subject subjects_peer_python[];
const struct subject subjects_peer_python[] = {
    { "Python", NULL, NULL, NULL, NULL, "FileLock", serve, NULL },
    { "Python soft", NULL, NULL, NULL, NULL, "SoftFileLock", serve, NULL },
    { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL },
};
