/* SPDX-License-Identifier: MIT
 *
 * Functions of file_posix.c for other files of this platform.
 */
#ifndef FLK_FILE_POSIX_H
#define FLK_FILE_POSIX_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Moves a descriptor away from the three standard numbers: if a program has closed those, what it prints must not go to
 * the file.  Returns as fcntl(2) F_DUPFD does.  A negative number is returned as it is.
 */
int flk_file_above_standard(int fd);

/* Calls fstat(2), again after each interruption.  Returns 0 or -errno. */
int flk_file_stat(int fd, struct stat *st);

/* Opens without following a link and without waiting; no program inherits it.  Returns the descriptor or -errno. */
int flk_file_open_flags(const char *path, int flags, mode_t mode);

/* Returns the path up to its last component, to be freed; "." if there is no more.  NULL: no memory. */
char *flk_file_parent(const char *path);

/* Returns a pointer to the last component of the path. */
const char *flk_file_name(const char *path);

/*
 * Looks for the directory of a path after creating a file gave -ENOENT.  make: make it if it is missing.
 * Returns 0 if creating is worth another try, else the reason why not.
 */
int flk_file_ensure_parent(const char *path, bool make);

/* Sets exactly these bits on a file just created; 0: none.  Returns fd, or removes and closes it for -errno. */
int flk_file_created(const char *path, int fd, unsigned mode);

/*
 * Sets the time of writing of an open file to now, or to a later time if the file system does not tell the last one
 * from now.  *modified is that time: on input the last one, on output the new one.  Returns 0 or -errno.
 */
int flk_file_touch(int fd, int64_t *modified);

/* Writes all bytes, from the beginning of the file on.  Returns 0 or -errno. */
int flk_file_write_all(int fd, const char *bytes, size_t size);

#endif
