/* SPDX-License-Identifier: MIT
 *
 * What file.c shares with its neighbours on this platform.
 */
#ifndef FLK_WINDOWS_FILE_H
#define FLK_WINDOWS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <windows.h>

#include "platform.h"

/*
 * An open file's number is its handle: of those only 32 bits are significant, on every Windows ("Interprocess
 * Communication Between 32-bit and 64-bit Applications"), and INVALID_HANDLE_VALUE is -1.
 */
HANDLE flk_handle(int fd);

/* How a file is opened. */
struct opening_way {
    DWORD access, share, disposition;
    bool follow; /* the last component may be a symbolic link; refused with -ELOOP otherwise */
};

/* Opens a full path for overlapped input and output: the number or -errno. */
int flk_file_open_way(const wchar_t *wide, const struct opening_way *way);

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Access may be denied for a moment: to a file that is about to go, or that a scanner looks at. */
#define DENIED_NS 500000000

/* Naps, before something that somebody else is in the way of is tried again; false: for long enough. */
bool flk_file_patience(int64_t *until);

/* Bytes from an offset on, at most size: how many, or -errno. */
ssize_t flk_file_read_at(int fd, char *bytes, size_t size, uint64_t offset);

/* Writes from an offset on, all or -errno; and the second also ends the file there. */
int flk_file_write_all(int fd, const char *bytes, size_t size, uint64_t offset);
int flk_file_write_last(int fd, const char *bytes, size_t size, uint64_t offset);

/* Opens a full path for removal, which one can do at a time: the number or -errno. */
int flk_file_open_to_remove(const wchar_t *wide, bool follow);

/*
 * Removes what is open for that.  Where the system keeps the name as long as the file is open, it is moved aside
 * before, to ".gone.", the process and a number after the path.
 */
int flk_file_dispose(int fd, const wchar_t *wide);

/* Removes what processes that were ended in the middle of that have left. */
void flk_file_tidy(const wchar_t *wide);

/* Removes the file of a full path, if it is that one (id; NULL: whichever), else -ENOENT; patient for a while. */
int flk_file_remove_patiently(const wchar_t *wide, bool follow, const struct identity *id);

#endif
