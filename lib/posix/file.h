/* SPDX-License-Identifier: MIT
 *
 * What file.c shares with its neighbours on this platform.
 */
#ifndef FLK_POSIX_FILE_H
#define FLK_POSIX_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Moves a descriptor away from the three standard ones: what a program that closed those prints
 * must not go there.  As fcntl(2) F_DUPFD; what is no descriptor is given back.
 */
int flk_file_above_standard(int fd);

/* fstat(2), whatever interrupts it: 0 or -errno. */
int flk_file_stat(int fd, struct stat *st);

/* Opens without following a link, waiting, or being inherited: the descriptor or -errno. */
int flk_file_open_flags(const char *path, int flags, mode_t mode);

/* The path up to its last component, to be freed; "." if there is none.  NULL: no memory. */
char *flk_file_parent(const char *path);

/* The last component, in the path that was given. */
const char *flk_file_name(const char *path);

/* After -ENOENT from creating: 0 if it is worth another try, or the reason why it is not. */
int flk_file_mend_parent(const char *path, bool make);

/* Sets exactly these bits on a file just created; else removes and closes it: fd or -errno. */
int flk_file_created(const char *path, int fd, unsigned mode);

/* Writes from the beginning on, all or -errno. */
int flk_file_write_all(int fd, const char *bytes, size_t size);

#endif
