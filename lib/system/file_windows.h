/* SPDX-License-Identifier: MIT
 *
 * Functions of file_windows.c and remove_windows.c for other files of this platform.
 */
#ifndef FLK_WINDOWS_FILE_H
#define FLK_WINDOWS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <windows.h>

#include "system/file.h"

/*
 * Returns the handle of an open file, whose number is the handle itself.  Only 32 bits of a handle are significant on
 * every Windows ("Interprocess Communication Between 32-bit and 64-bit Applications"), and INVALID_HANDLE_VALUE is -1.
 */
HANDLE flk_handle(int fd);

/* How a file is opened. */
struct opening_way {
    DWORD access, share, disposition;
    bool follow; /* the last component may be a symbolic link; otherwise a link is refused with -ELOOP */
};

/* Opens a full path for overlapped input and output.  Returns the number or -errno. */
int flk_file_open_way(const wchar_t *wide, const struct opening_way *way);

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* Give up after 0.5 s of denied access.  A file that is about to go, or that a scanner reads, denies it for less. */
#define DENIED_NS 500000000

/*
 * Naps before the caller tries again what another process stands in the way of.  *until: 0 before the first call.
 * False, without a nap, if the caller has tried for DENIED_NS.
 */
bool flk_file_patience(int64_t *until);

/* Reads bytes from an offset on, at most size.  Returns how many, or -errno. */
ssize_t flk_file_read_at(int fd, char *bytes, size_t size, uint64_t offset);

/* Both write all bytes from an offset on; flk_file_write_last() also ends the file after them.  Return 0 or -errno. */
int flk_file_write_all(int fd, const char *bytes, size_t size, uint64_t offset);
int flk_file_write_last(int fd, const char *bytes, size_t size, uint64_t offset);

/* Opens a full path for removal.  Only a single opener can do that at a time.  Returns the number or -errno. */
int flk_file_open_to_remove(const wchar_t *wide, bool follow);

/*
 * Removes a file that is open for removal.  Returns 0 or -errno.  If the system keeps the name as long as the file is
 * open, the file is moved aside before.  Its path then ends in ".gone.", the number of the process, and a counter.
 */
int flk_file_dispose(int fd, const wchar_t *wide);

/* Removes the moved files of this path that are left by processes that ended in the middle of flk_file_dispose(). */
void flk_file_tidy(const wchar_t *wide);

/*
 * Removes the file of a full path, and tries for a while if another process is in the way.  id: the file to remove, or
 * NULL for any.  Returns 0 or -errno; -ENOENT if the path names another file.
 */
int flk_file_remove_patiently(const wchar_t *wide, bool follow, const struct identity *id);

#endif
