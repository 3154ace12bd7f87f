/* SPDX-License-Identifier: MIT
 *
 * Finding the processes that have a file open for writing.
 */
#ifndef FLK_WRITERS_H
#define FLK_WRITERS_H

#include "system/file.h"

enum writers {
    WRITERS_NONE,   /* no process that can have made the file has it open for writing: it would have been seen */
    WRITERS_SEEN,   /* a process has the file open for writing */
    WRITERS_UNSEEN, /* a process that may have made the file cannot be looked into */
};

/*
 * Tells whether a process of this host has the file open for writing.  fd: the open file.  id: its identity.
 * Returns enum writers, or -EMFILE, -ENFILE or -ENOMEM.
 */
int flk_file_writers(int fd, const struct identity *id);

#endif
