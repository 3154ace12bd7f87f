/* SPDX-License-Identifier: MIT
 *
 * The file of an operating system's lock.
 */
#ifndef FLK_OS_FILE_H
#define FLK_OS_FILE_H

#include "kind.h"
#include "outcome.h"
#include "system/file.h"

/* The state of such a lock in the handle.  The file stays open between acquires, so the next needs no open(2). */
struct os_lock {
    int fd;              /* the open file; -1: none.  Each use begins with a check by own_file.h, since fd is kept */
    unsigned access;     /* enum file_access: what fd is open for */
    bool writes;         /* the file system locks only by a descriptor that can be written */
    bool ours;           /* the library has opened fd, and will close it; else fd is the caller's */
    bool ages;           /* this host may remember what the path named before another host changed that */
    bool smb;            /* the file system is SMB: system/remote.h tells what is different there */
    bool recorded;       /* the file has the record of this holder */
    char *resolved;      /* for a release that removes the file, its path when it was locked; NULL: the path as given */
    int64_t last_forker; /* the process that last forked while it held the lock: close, never unlock; 0: none */
    struct identity id;
};

int flk_os_file_init(const struct target *target, void *state);

/*
 * Sees to it that a descriptor is open by which the file can be locked in the mode.  If the number now has another
 * file: a caller's descriptor is an error, and the library opens its own anew.  Returns 0, CONTENDED or -errno.
 */
enum outcome flk_os_file_have(const struct target *target, struct os_lock *os, enum filelock_mode mode);

/*
 * Returns CONTENDED in place of -EACCES from a call that locks, if the file is on SMB, whose client says this of a lock
 * that is held.  Else returns rc.  The file cannot be asked once more: when it is removed, its file system is not told.
 */
enum outcome flk_os_file_contended(const struct os_lock *os, enum outcome rc);

/* Forgets a descriptor without closing it, since the number may be that of another file. */
void flk_os_file_disown(struct os_lock *os);

/* Closes the library's descriptor, which ends a lock on it.  A file that a program has put in its place stays open. */
void flk_os_file_forget(struct os_lock *os);

/* Records the holder of an exclusive lock in its file, if the flags say so.  Returns 0 also if the file refuses it. */
int flk_os_file_record(const struct target *target, struct os_lock *os);

/* Returns the path of the locked file, which is right also after the program has changed its directory. */
const char *flk_os_file_path(const struct target *target, const struct os_lock *os);

/* Returns 1 if the path names the open file, 0 if it names another file or none, or -errno. */
int flk_os_file_is_named(const struct target *target, const struct os_lock *os);

#endif
