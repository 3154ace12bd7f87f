/* SPDX-License-Identifier: MIT
 *
 * Files: opening, telling apart, reading, writing and removing them.
 */
#ifndef FLK_FILE_H
#define FLK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "outcome.h"
#include "system_types.h"

/* Bytes of a file.  A length of 0 means all bytes from start on. */
struct range {
    int64_t start, length;
};

/*
 * An open file is known by a number of 0 or more; -1 is no file.  Only the platform's part of the library knows what
 * the system's own number for the file is, and whether that is a descriptor of the C library.  struct identity tells
 * files apart.
 */

/* Returns the number by which the functions below know the caller's descriptor, or -EBADF if it is not open. */
int flk_file_of_descriptor(int fd);

/* Returns the descriptor by which a program may use an open file of the library, or -1 if there is none. */
int flk_file_descriptor(int fd);

enum file_wish {
    FILE_FOLLOW = 1,   /* the last component may be a symbolic link */
    FILE_TO_WRITE = 2, /* open for reading and writing; else for reading only */
    FILE_MAKE_PARENTS = 4,
    FILE_EXISTING = 8,      /* do not create the file */
    FILE_READ_ONLY_OK = 16, /* if writing is refused, open for reading only */
    FILE_WRITE_ONLY_OK = 32 /* if reading is refused, open for writing only */
};

/* The ways in which a file is open. */
enum file_access { FILE_READS = 1, FILE_WRITES = 2 };

/*
 * Opens the lock file, and creates it if it is missing.  wishes: enum file_wish.  mode: as options.file_mode.
 *   0          *fd is the open file, and *access has bits of enum file_access
 *   CONTENDED  another process does something to the file that keeps it from being opened for the moment
 *   -errno     the file cannot be opened
 */
enum outcome flk_file_open(const char *path, unsigned wishes, unsigned mode, int *fd, unsigned *access);

/* Opens the file of a descriptor once more, as an open file of its own.  Returns as flk_file_open() does. */
enum outcome flk_file_reopen(int fd, int *copy, unsigned *access);

/* Opens a possible lock file for reading, and never waits for that.  Returns the number of the open file, or -errno. */
int flk_file_open_to_read(const char *path, bool follow);

void flk_file_close(int fd);
int flk_file_identity(int fd, struct identity *id);

/* True if the error is a lack of descriptors or memory, not a fault of the file: -EMFILE, -ENFILE, -ENOMEM. */
bool flk_error_no_resources(int rc);

/* True if the error means that the path that was looked up names no file. */
bool flk_error_no_file(int rc);

int flk_file_path_identity(const char *path, bool follow, struct identity *id);

/* Finds the directory in which the path names a file, whether or not that file is there. */
int flk_file_folder_identity(const char *path, struct identity *id);

/*
 * Has the file system look anew at what the path names.  A client of NFS answers stat(2) from what it remembers of the
 * directory, for up to a minute.
 */
void flk_file_path_refresh(const char *path, bool follow);

/* Sends what was written to the server of a remote file system, where other hosts can read it. */
void flk_file_send(int fd);

/* True if the open file is known to have no path any more. */
bool flk_file_is_removed(int fd);

bool flk_file_same(const struct identity *a, const struct identity *b);

/* Writes the identity as bytes, 24 at most, equal for the same file only.  Returns how many. */
size_t flk_file_key(const struct identity *id, unsigned char *bytes);

/* Removes the file that the path names.  If a link is followed, that is the file that the link leads to. */
int flk_file_remove(const char *path, bool follow);

/* Removes as flk_file_remove() does, but only the file with this identity.  -ENOENT: the path does not name it. */
int flk_file_remove_same(const char *path, bool follow, const struct identity *id);
int flk_file_inherit(int fd, bool on_exec);

/* Reads the whole contents, at most size bytes.  Returns how many, or -errno; -EINVAL if not a regular file. */
ssize_t flk_file_read(int fd, char *bytes, size_t size);

/* Replaces the contents of a regular file. */
int flk_file_write(int fd, const char *bytes, size_t size);

/* When a file was written last, and which file it is. */
struct file_version {
    struct identity id;
    int64_t modified; /* ns */
    bool regular, directory;
};

int flk_file_version(int fd, struct file_version *version);
int flk_file_path_version(const char *path, bool follow, struct file_version *version);

/* Reads the version, and the contents of a regular file, at most size bytes.  Returns how many, or -errno. */
ssize_t flk_file_read_version(int fd, struct file_version *version, char *bytes, size_t size);
bool flk_file_same_version(const struct file_version *a, const struct file_version *b);

/*
 * Returns the path from the root on, to be freed.  NULL: the path begins at the root already, or its beginning cannot
 * be found.  The caller then uses the path as it is.
 */
char *flk_file_absolute(const char *path);

/*
 * Returns the path that a symbolic link leads to, whether or not a file is there; to be freed.  A path that is no link
 * is copied.  NULL: errno tells why.
 */
char *flk_file_resolve(const char *path);

/* True if a new file may have the identity of one that was removed and is closed. */
bool flk_file_numbers_recur(void);

#endif
