/* SPDX-License-Identifier: MIT
 *
 * filelock.h - a file lock that can be trusted
 *
 * Purpose
 *
 *   A file lock keeps programs from doing the same thing at the same time: everyone who wants to
 *   touch a resource first acquires a lock on a path that all of them know, and releases it after.
 *
 * Calling sequence
 *
 *   struct filelock *lock;
 *
 *   filelock_new(&lock, "/run/app.lock", NULL)             allocates a handle, touches no file
 *   filelock_acquire(lock, FILELOCK_EXCLUSIVE, 5000)       waits for at most 5 s
 *   ...                                                    the resource is ours
 *   filelock_release(lock)                                 lets the next one in
 *   filelock_free(lock)                                    releases first if need be
 *
 *   A handle is meant to be kept and acquired again and again: it keeps the lock file open in
 *   between, which makes the next acquire several times faster than a new handle's first.
 *
 * Conventions
 *
 *   Functions return 0 or a negative errno value (-ETIMEDOUT, ...): compare by name.  An out
 *   parameter is written only on success.  Times are milliseconds in int64_t on a monotonic clock
 *   that no change of the wall clock disturbs.  errno itself is neither read nor promised.
 *   Every function may be called from any thread at any time, on the same or on different handles,
 *   except that a handle must not be in use by anybody else when filelock_free() is called on it.
 *   None is async-signal-safe, and none is a cancellation point.
 *
 * Permission bits
 *
 *   A lock file that does not exist is created with 0666 less the umask, or with exactly the bits
 *   of options.file_mode.  Bits of a file that exists are never changed.  The contents of a file
 *   that an operating-system lock is on are never written or truncated, but for
 *   FILELOCK_RECORD_OWNER.  The file of a soft lock holds its owner's record.
 *
 * The kinds of lock, and what each can do on which file system, are the subject of filelock(7).
 */
#ifndef FILELOCK_H
#define FILELOCK_H

#include <stddef.h>
#include <stdint.h>

/* Errors that <errno.h> of Windows may lack; the number is winsock's. */
#ifdef _WIN32
#include <errno.h>
#ifndef ESTALE
#define ESTALE 10070
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* In C++ a function that has the name of a struct hides its constructor; none is called here. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

#define FILELOCK_VERSION_MAJOR 0
#define FILELOCK_VERSION_MINOR 1
#define FILELOCK_VERSION_PATCH 0

/* Marks what the library exports; a program needs none of this. */
#ifndef FILELOCK_API
#if defined(__GNUC__) && !defined(_WIN32)
#define FILELOCK_API __attribute__((visibility("default")))
#else
#define FILELOCK_API
#endif
#endif

/*
 * Something that can be waited for: what ends a wait with -ECANCELED when it becomes ready.
 * POSIX: a descriptor, ready when poll(2) says that it is readable, hung up or in error.
 * Windows: a HANDLE to an object that can be waited for, ready when it is signalled.
 * It stays the caller's, is never read from, and must stay open as long as the handle exists.
 */
#ifdef _WIN32
typedef void *filelock_waitable;
#define FILELOCK_NO_WAITABLE NULL
#else
typedef int filelock_waitable;
#define FILELOCK_NO_WAITABLE (-1)
#endif

/* ---- Kinds, flags, modes and times ---------------------------------------------------------- */

/*
 * A kind is a protocol: everyone who shares a path must use the same one.  Locks of different
 * kinds on one path do not see each other.
 */
enum filelock_kind {
    FILELOCK_KIND_DEFAULT = 0, /* the operating-system lock that this build prefers */
    FILELOCK_KIND_FLOCK = 1,   /* flock(2) on the whole file */
    FILELOCK_KIND_OFD = 2,     /* fcntl(2) open-file-description lock; default range: whole file */
    FILELOCK_KIND_WIN32 = 3,   /* LockFileEx; default range: byte 0, length 1 */
    FILELOCK_KIND_SOFT = 4     /* the existence of the lock file is the lock */
};

/* An exclusive lock keeps everyone else out; shared locks keep only exclusive ones out. */
enum filelock_mode { FILELOCK_EXCLUSIVE = 0, FILELOCK_SHARED = 1 };

/* Recursion and release belong to the handle, not to the thread that acquired. */
#define FILELOCK_ANY_THREAD 0x001u
/* A forked child holds the lock too; it ends when all of them have released it or exited.  POSIX. */
#define FILELOCK_FORK_SHARE 0x002u
/* The descriptor, and so the lock, survives exec.  Windows: programs inherit the file, but no lock. */
#define FILELOCK_KEEP_ON_EXEC 0x004u
/* The last release removes the lock file, safely against waiters. */
#define FILELOCK_UNLINK 0x008u
/* Acquire creates the missing parent directories of the lock file (0777 less umask). */
#define FILELOCK_MAKE_PARENTS 0x010u
/* The lock path itself may be a symbolic link; without this flag that is -ELOOP. */
#define FILELOCK_FOLLOW_SYMLINK 0x020u
/* A signal handler that runs in the waiting thread ends the wait with -EINTR, SA_RESTART or not.
 * Windows: a call that is queued to the thread (QueueUserAPC) does. */
#define FILELOCK_INTERRUPTIBLE 0x040u
/* Exclusive operating-system locks replace the lock file's contents by the holder's record while
 * they are held: for people to read, and for filelock_owner().  Of several that share the lock
 * by FILELOCK_FORK_SHARE it names the one that was forked last, and, when that releases, another. */
#define FILELOCK_RECORD_OWNER 0x080u
/* A soft lock is never taken from a dead holder without filelock_break(). */
#define FILELOCK_NEVER_BREAK 0x100u

/* Timeouts, in milliseconds; any value of 0 or more is one. */
#define FILELOCK_TRY 0                /* do not wait */
#define FILELOCK_FOREVER (-1)         /* wait as long as it takes */
#define FILELOCK_TIMEOUT_DEFAULT (-2) /* what options.timeout_ms says */

/* ---- The handle ----------------------------------------------------------------------------- */

/* One lock on one path, or on one descriptor.  Opaque; under 400 bytes and the path when at rest. */
struct filelock;

struct filelock_options {
    size_t size;              /* of this struct, set by FILELOCK_OPTIONS_INIT */
    int kind;                 /* enum filelock_kind */
    unsigned flags;           /* FILELOCK_* flags, or-ed */
    int64_t timeout_ms;       /* what FILELOCK_TIMEOUT_DEFAULT means: 0 or more, or FILELOCK_FOREVER */
    unsigned file_mode;       /* exact bits (07777 at most) of a lock file that we create; 0: 0666 less umask;
                                 without meaning on Windows */
    filelock_waitable cancel; /* ends waits with -ECANCELED; FILELOCK_NO_WAITABLE: nothing does */
    int64_t range_start;      /* bytes to lock, 0 or more, for kinds that lock ranges (OFD, WIN32) ... */
    int64_t range_length;     /* ... and how many; 0: the kind's own default range from there on */
};

/* struct filelock_options options = FILELOCK_OPTIONS_INIT;  then change what you want changed. */
#define FILELOCK_OPTIONS_INIT                                                                      \
    { sizeof(struct filelock_options), FILELOCK_KIND_DEFAULT, 0, FILELOCK_FOREVER, 0, FILELOCK_NO_WAITABLE, 0, 0 }

/*
 * Makes a handle for the lock at `path`.  The path (bytes on POSIX, UTF-8 on Windows) is copied and
 * not looked at: the lock file is made at the first acquire.  A relative path is resolved at each
 * acquire.  `options` may be NULL for the defaults and is not kept.
 *
 *   0         *lock is a new handle, the caller's, to be given to filelock_free()
 *   -EINVAL   lock or path is NULL, path is empty; an option has a value outside what is said at
 *             its declaration, an unknown flag, a range for a kind that locks none, or a size that
 *             is no version of the struct this library knows
 *   -ENOTSUP  this build lacks the kind: filelock_supported() tells beforehand
 *   -ENOMEM, -EAGAIN   out of memory, or of the system's thread-specific keys
 */
FILELOCK_API int filelock_new(struct filelock **lock, const char *path, const struct filelock_options *options);

/*
 * Makes a handle for a lock on the open descriptor `fd` (a C runtime descriptor on Windows).  The
 * caller goes on owning the descriptor, must keep it open while the handle exists, and decides who
 * inherits it: no path is touched, flags of the descriptor are not changed, and filelock_free()
 * leaves it open.  What is locked is the open file description: handles on copies of one
 * descriptor (by dup(2), or inherited) hold one lock in common, and the first release of any of
 * them, also by a relative that shares it with FILELOCK_FORK_SHARE, ends it.
 *
 * As filelock_new(), and
 *   -EBADF    fd is not an open descriptor
 *   -EINVAL   also: a flag or option that is about a path (UNLINK, MAKE_PARENTS, FOLLOW_SYMLINK,
 *             KEEP_ON_EXEC, file_mode), or a kind that cannot lock a descriptor (SOFT)
 */
FILELOCK_API int filelock_new_from_fd(struct filelock **lock, int fd, const struct filelock_options *options);

/*
 * Ends a handle: every level is released first if this process holds the lock, whichever thread
 * acquired it.  NULL is allowed.  Nobody may be using or waiting on the handle.
 */
FILELOCK_API void filelock_free(struct filelock *lock);

/* ---- Acquire and release -------------------------------------------------------------------- */

/*
 * Acquires the lock, waiting for at most `timeout_ms`: 0 or more, FILELOCK_TRY, FILELOCK_FOREVER or
 * FILELOCK_TIMEOUT_DEFAULT.  A handle that holds the lock acquires it again at once, one level
 * deeper, in either mode if it holds it exclusively; each level wants its own release.
 *
 * The lock belongs to the thread that acquired it (with FILELOCK_ANY_THREAD: to the handle); other
 * threads' acquires on the handle wait as another process would.  A thread that ends while it holds
 * a lock releases it.  A timeout is never early, and late only by what the scheduler takes.
 *
 * A wait costs no processor time.  For an operating-system lock, FILELOCK_FOREVER without a cancel
 * waitable and without FILELOCK_INTERRUPTIBLE blocks in the calling thread; other waits use a
 * helper thread, with all signals blocked, that is kept for the next wait for about two seconds.  On
 * Windows all of them wait in the calling thread.
 * For a soft lock the directory and the holder's process are watched.  Where a thread, a
 * descriptor or a watch that this takes cannot be had, the lock is tried again after 1 to 50 ms,
 * jittered.  A marker without a readable record is taken over when it has stood unchanged for 2 s.
 *
 *   0           held; the depth went up by one
 *   -ETIMEDOUT  somebody else held it until the time was up (with FILELOCK_TRY: at once)
 *   -ECANCELED  options.cancel became ready during the wait; looked at only when there is one
 *   -EDEADLK    it would wait for itself: this thread holds the same file through another handle
 *               and the timeout is FILELOCK_FOREVER; or the handle holds the lock shared and
 *               exclusive is asked for, which no release could ever grant: release first
 *   -EINTR      a signal handler ran during the wait, with FILELOCK_INTERRUPTIBLE only
 *   -ELOOP      the path is a symbolic link (see FILELOCK_FOLLOW_SYMLINK), or has too many
 *   -ENOENT     a parent directory does not exist (see FILELOCK_MAKE_PARENTS)
 *   -EACCES, -EPERM, -EROFS  the file may not be opened or created so that this kind could lock it
 *   -EISDIR     the path is a directory, which this kind can lock only shared or not at all
 *   -ESTALE     after each of a thousand locks the path named another file, though the locked one had not
 *               been removed: a file system whose file identities cannot be relied on
 *   -ENOTSUP    the file system does not implement this kind of lock
 *   -EINVAL     a bad argument, or FILELOCK_SHARED on a kind that has only exclusive locks
 *   -EOVERFLOW  the depth would exceed UINT_MAX
 *   -EILSEQ     the path is not UTF-8 (Windows)
 *   -ENAMETOOLONG, -ENOTDIR, -ENOSPC, -EMFILE, -ENFILE, -ENOMEM, -ENOLCK, -EIO, ...
 *               what the operating system said
 *
 * After an error the handle is as it was before the call, and can be used.
 */
FILELOCK_API int filelock_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/*
 * Releases one level of recursion; the last one lets go of the lock.
 *
 *   0         released
 *   -EPERM    the calling thread (with FILELOCK_ANY_THREAD: the handle) does not hold the lock
 *   -EINVAL   lock is NULL
 *   -EIO, -EBADF, -ENOLCK, -EAGAIN, ...  the operating system refused the unlock: the handle still holds the
 *             lock, at the depth it had, and can be released again
 *   -EMFILE, -ENFILE, -ENOMEM, -EACCES  of a lock whose file names its holder, shared by FILELOCK_FORK_SHARE:
 *             which process goes on holding it could not be seen; the same
 */
FILELOCK_API int filelock_release(struct filelock *lock);

/* Releases every level.  Returns as filelock_release(). */
FILELOCK_API int filelock_release_all(struct filelock *lock);

/*
 * Acquires, calls body(arg), releases.  Returns the acquire's error (the body did not run), else
 * the body's value if that is not 0, else the release's error, else 0.  -EINVAL: body is NULL.
 */
FILELOCK_API int filelock_with(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms,
                               int (*body)(void *arg), void *arg);

/* ---- Questions about a handle --------------------------------------------------------------- */

/* 1 if the calling thread (with FILELOCK_ANY_THREAD: the handle) holds the lock, 0 if not or NULL. */
FILELOCK_API int filelock_held(const struct filelock *lock);

/* How many releases it takes: 0 where filelock_held() is 0. */
FILELOCK_API unsigned filelock_depth(const struct filelock *lock);

/*
 * Tells whether a held lock still protects its path.
 *
 *   0         held, and the path names the locked file (on a descriptor: held)
 *   -ESTALE   held, but the path names another file or none: whoever comes next will lock that one
 *   -EPERM    not held, as filelock_release() has it
 *   -EINVAL   lock is NULL
 *   -EACCES, -EIO, -ENOMEM, ...  the path could not be looked up
 */
FILELOCK_API int filelock_check(struct filelock *lock);

/* The path as given to filelock_new(), the handle's own; NULL for a handle on a descriptor. */
FILELOCK_API const char *filelock_path(const struct filelock *lock);

/* The kind that the handle got, never FILELOCK_KIND_DEFAULT; -EINVAL if lock is NULL. */
FILELOCK_API int filelock_kind(const struct filelock *lock);

/* POSIX: the locked descriptor, the handle's own, where filelock_held() is 1; -1 elsewhere. */
FILELOCK_API int filelock_fd(const struct filelock *lock);

/* Who holds a lock.  Zero it, set size. */
struct filelock_owner {
    size_t size;
    int64_t pid;      /* 0: not known */
    int alive;        /* 1 alive, 0 provably dead, -1 cannot be told from here */
    int local;        /* 1: on this host (and in this pid namespace), 0: elsewhere or not known */
    char host[256];   /* "" when not known */
    char command[64]; /* its name, unprintable bytes as '?'; "" when not known */
};

/*
 * Asks who holds the lock now, whoever that is; with shared locks, one of them.  A snapshot: it may
 * have changed when the answer arrives.  Takes and disturbs no lock.  On Linux operating-system
 * locks are looked up in /proc/locks (proc(5)), and in the record of FILELOCK_RECORD_OWNER.  On
 * Windows the record alone names a holder.
 *
 *   0         *owner is filled in
 *   -ENOENT   nobody holds it
 *   -ENOTSUP  it cannot be known here: no /proc, or holders in other pid namespaces may be invisible
 *   -EINVAL   an argument is NULL, or owner->size is no version of the struct this library knows
 *   -ELOOP    the path is a symbolic link, and FILELOCK_FOLLOW_SYMLINK is not set
 *   -EACCES, -EIO, -ENOMEM, ...  the path could not be looked up
 */
FILELOCK_API int filelock_owner(const struct filelock *lock, struct filelock_owner *owner);

/*
 * Removes the marker of a soft lock, whoever's it is.  For operators: whoever held it goes on
 * believing that it does.
 *
 *   0         the marker is gone, whoever has removed it
 *   -ENOENT   there was none
 *   -ENOTSUP  the kind has no marker: an operating-system lock ends with its holder
 *   -EINVAL   lock is NULL
 *   -EACCES, -EPERM, -EROFS, -EISDIR, -ENOMEM, ...  the marker could not be removed, and stays
 */
FILELOCK_API int filelock_break(struct filelock *lock);

/* ---- Words ---------------------------------------------------------------------------------- */

/*
 * Writes one sentence, without a full stop or newline, about `error`, which is what the last
 * function called with `lock` returned, as snprintf(3) does: at most size bytes with the
 * terminating NUL; returns the length that the whole has.
 * It says what was asked, the path, why it failed, and who holds the lock where that is known:
 *
 *   cannot acquire /run/x.lock within 5 s: held by pid 4711 (backup)
 *
 * `lock` may be NULL (the reason alone is written), and `text` too if size is 0.
 */
FILELOCK_API size_t filelock_describe(const struct filelock *lock, int error, char *text, size_t size);

/* What an error of this library means, in a few words.  Static or thread-local; not to be freed. */
FILELOCK_API const char *filelock_strerror(int error);

/* ---- Questions about the build -------------------------------------------------------------- */

/* 1 if this build has the kind, 0 if not. */
FILELOCK_API int filelock_supported(int kind);

/* "flock", "ofd", "win32", "soft", or "default"; NULL for a number that is no kind. */
FILELOCK_API const char *filelock_kind_name(int kind);

/* "0.1.0": of the library that is linked, where FILELOCK_VERSION_* is of the header. */
FILELOCK_API const char *filelock_version(void);

/* ---- Scopes --------------------------------------------------------------------------------- */

/* What FILELOCK_AUTO_RELEASE and FILELOCK_AUTO_FREE call: errors are lost here. */
FILELOCK_API void filelock_auto_release(struct filelock **lock);
FILELOCK_API void filelock_auto_free(struct filelock **lock);

/*
 * On compilers that have it, marks a `struct filelock *` variable whose lock is released by one
 * level (if held, and the pointer is not NULL), or freed, when the variable leaves its scope:
 *
 *   FILELOCK_AUTO_FREE struct filelock *lock = NULL;
 *
 * Set a FILELOCK_AUTO_RELEASE variable once the acquire has succeeded: after one that has failed, a
 * level that the caller holds would be released.
 *
 * Elsewhere the macros are not defined, and filelock_with() serves.
 */
#ifdef __GNUC__
#define FILELOCK_AUTO_RELEASE __attribute__((cleanup(filelock_auto_release)))
#define FILELOCK_AUTO_FREE __attribute__((cleanup(filelock_auto_free)))
#endif

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#ifdef __cplusplus
}
#endif

#endif
