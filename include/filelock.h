/* SPDX-License-Identifier: MIT
 *
 * filelock.h - a file lock that can be trusted
 *
 * Purpose
 *
 *   A file lock keeps programs from doing the same thing at the same time.  All programs that share a
 *   resource know the path of its lock.  Each acquires the lock before it touches the resource, and
 *   releases it after.
 *
 * Calling sequence
 *
 *   struct filelock *lock;
 *
 *   filelock_new(&lock, "/run/app.lock", NULL)             allocates a handle, touches no file
 *   filelock_acquire(lock, FILELOCK_EXCLUSIVE, 5000)       waits for at most 5 s
 *   ...                                                    uses the resource
 *   filelock_release(lock)                                 lets the next waiter in
 *   filelock_free(lock)                                    releases first if need be
 *
 *   Keep a handle, and acquire it again and again.  Between two acquires it keeps the lock file open:
 *   the next acquire is several times faster than the first acquire of a new handle.
 *
 * Conventions
 *
 *   Functions return 0 or a negative errno value (-ETIMEDOUT, ...).  Compare by name.
 *   An out parameter is written only on success.
 *   Times are milliseconds in int64_t, on a monotonic clock that no change of the wall clock disturbs.
 *   errno is neither an input nor a result: its value after a call is unspecified.
 *   Any thread may call any function at any time, on the same or on different handles.  The exception
 *   is filelock_free(): nothing else may use the handle at that time.
 *   No function is async-signal-safe, and none is a cancellation point.
 *
 * Permission bits
 *
 *   A lock file that does not exist is created with 0666 less the umask, or with exactly the bits of
 *   options.file_mode.  The bits of an existing file are never changed.
 *   The contents of a file under an operating-system lock are never written or truncated, except with
 *   FILELOCK_RECORD_OWNER.  The file of a soft lock or lease holds the record of its owner.
 *
 * filelock(7) describes the kinds of lock, and what each can do on which file system.
 */
#ifndef FILELOCK_H
#define FILELOCK_H

#include <stddef.h>
#include <stdint.h>

/* Defines the errors that <errno.h> of Windows may lack.  The number is that of winsock. */
#ifdef _WIN32
#include <errno.h>
#ifndef ESTALE
#define ESTALE 10070
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A function with the name of a struct hides its constructor in C++.  No constructor is called here. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

#define FILELOCK_VERSION_MAJOR 0
#define FILELOCK_VERSION_MINOR 1
#define FILELOCK_VERSION_PATCH 1

/* Marks what the library exports.  A program does not need it. */
#ifndef FILELOCK_API
#if defined(__GNUC__) && !defined(_WIN32)
#define FILELOCK_API __attribute__((visibility("default")))
#else
#define FILELOCK_API
#endif
#endif

/*
 * An object that ends a wait with -ECANCELED when it becomes ready.
 * POSIX: a descriptor, ready when poll(2) reports it as readable, hung up or in error.
 * Windows: a HANDLE to an object that can be waited for, ready when it is signalled.
 * The caller owns it, and must keep it open as long as the lock's handle exists.  It is never read from.
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
 * A kind is a protocol: all programs that share a path must use the same kind.  Locks of different
 * kinds on one path do not see each other.
 */
enum filelock_kind {
    FILELOCK_KIND_DEFAULT = 0, /* the operating-system lock that this build prefers */
    FILELOCK_KIND_FLOCK = 1,   /* flock(2) on the whole file */
    FILELOCK_KIND_OFD = 2,     /* fcntl(2) open-file-description lock; default range: whole file */
    FILELOCK_KIND_WIN32 = 3,   /* LockFileEx; default range: byte 0, length 1 */
    FILELOCK_KIND_SOFT = 4,    /* the existence of the lock file is the lock */
    FILELOCK_KIND_LEASE = 5    /* a soft lock that expires when its holder stops renewing it; POSIX */
};

/* An exclusive lock keeps all other locks out.  A shared lock keeps only exclusive locks out. */
enum filelock_mode { FILELOCK_EXCLUSIVE = 0, FILELOCK_SHARED = 1 };

/* Recursion and release belong to the handle, not to the thread that acquired the lock. */
#define FILELOCK_ANY_THREAD 0x001u
/* A forked child holds the lock too.  The lock ends when all holders have released it or exited.  POSIX. */
#define FILELOCK_FORK_SHARE 0x002u
/* The descriptor, and with it the lock, survives exec.  Windows: programs inherit the file, but no lock. */
#define FILELOCK_KEEP_ON_EXEC 0x004u
/* The last release removes the lock file, safely against waiters of this library.  Other programs: filelock(7). */
#define FILELOCK_UNLINK 0x008u
/* Acquire creates the missing parent directories of the lock file (0777 less umask). */
#define FILELOCK_MAKE_PARENTS 0x010u
/* The lock path itself may be a symbolic link.  Without this flag that is -ELOOP. */
#define FILELOCK_FOLLOW_SYMLINK 0x020u
/* A signal handler that runs in the waiting thread ends the wait with -EINTR, even with SA_RESTART.
 * Windows: a call that is queued to the thread (QueueUserAPC) ends it. */
#define FILELOCK_INTERRUPTIBLE 0x040u
/* While an exclusive operating-system lock is held, the holder's record replaces the contents of the
 * lock file.  The record is for people and for filelock_owner().  If several processes share the lock
 * by FILELOCK_FORK_SHARE, it names the process that was forked last.  When that process releases, it
 * names another holder.  A record that cannot be written, as on a full disk, does not cost the lock. */
#define FILELOCK_RECORD_OWNER 0x080u
/* A soft lock is never taken from a dead owner without filelock_break(). */
#define FILELOCK_NEVER_BREAK 0x100u

/* Timeouts in milliseconds.  Every value of 0 or more is valid. */
#define FILELOCK_TRY 0                /* do not wait */
#define FILELOCK_FOREVER (-1)         /* wait as long as it takes */
#define FILELOCK_TIMEOUT_DEFAULT (-2) /* use options.timeout_ms */

/* ---- The handle ----------------------------------------------------------------------------- */

/* One lock on one path or one descriptor.  Opaque.  At rest it takes less than 400 bytes and its path. */
struct filelock;

/*
 * An acquire calls on_wait when it finds the lock held and begins to wait.  It calls it in the calling thread, at most
 * once, and with no lock of the library held.  The time that on_wait takes is part of the timeout.
 *
 * on_wait may call filelock_owner().  It may call filelock_describe() with -EINPROGRESS, which writes "waiting for
 * /run/x.lock: held by pid 4711 (backup)".  It must return.  It must not acquire, release, convert or free the handle:
 * these calls return -EBUSY, and filelock_free() does nothing.
 */
struct filelock_options {
    size_t size;              /* of this struct, set by FILELOCK_OPTIONS_INIT */
    int kind;                 /* enum filelock_kind */
    unsigned flags;           /* FILELOCK_* flags, or-ed */
    int64_t timeout_ms;       /* what FILELOCK_TIMEOUT_DEFAULT means: 0 or more, or FILELOCK_FOREVER */
    unsigned file_mode;       /* exact bits, 07777 at most, of a lock file that acquire creates; 0: 0666 less
                                 umask; without meaning on Windows */
    filelock_waitable cancel; /* ends waits with -ECANCELED; FILELOCK_NO_WAITABLE: nothing does */
    int64_t range_start;      /* first byte to lock, 0 or more, for kinds that lock ranges (OFD, WIN32) */
    int64_t range_length;     /* number of bytes to lock; 0: the kind's own default range from the start on */
    int64_t lease_ms;         /* for kinds that expire: how long a lock outlives its holder's last sign of life;
                                 0: the kind's default (LEASE: 30 s); LEASE: 999999999999 at most; for other
                                 kinds any other value is -EINVAL */
    void (*on_wait)(struct filelock *lock, void *arg); /* NULL: none */
    void *on_wait_arg;
};

/* Start with struct filelock_options options = FILELOCK_OPTIONS_INIT;  then change members as needed. */
/* clang-format off */
#define FILELOCK_OPTIONS_INIT                                                                      \
    { sizeof(struct filelock_options), FILELOCK_KIND_DEFAULT, 0, FILELOCK_FOREVER, 0, FILELOCK_NO_WAITABLE, 0, 0, 0, NULL, NULL }
/* clang-format on */

/*
 * Makes a handle for the lock at `path` (bytes on POSIX, UTF-8 on Windows).  Copies the path and touches no
 * file: the first acquire makes the lock file.  Each acquire resolves a relative path anew.  `options` may be
 * NULL for the defaults, and is not kept.
 *
 *   0         *lock is a new handle, which the caller must give to filelock_free()
 *   -EINVAL   lock or path is NULL, or path is empty.  Or an option has a value that its declaration does
 *             not allow, or a flag is unknown.  Or a range or lease_ms is set for a kind that has none, or
 *             FILELOCK_FORK_SHARE for a LEASE.  Or the size is that of no release of this library
 *   -ENOTSUP  this build lacks the kind: filelock_supported() tells beforehand
 *   -ENOMEM, -EAGAIN   out of memory, or out of the system's thread-specific keys
 */
FILELOCK_API int filelock_new(struct filelock **lock, const char *path, const struct filelock_options *options);

/*
 * Makes a handle for a lock on the open descriptor `fd` (a C runtime descriptor on Windows).  The caller
 * still owns the descriptor, must keep it open while the handle exists, and decides which processes inherit
 * it.  The library touches no path and does not change the descriptor's flags.  filelock_free() leaves the
 * descriptor open.
 *
 * The lock is on the open file description.  Handles on copies of one descriptor (by dup(2), or inherited)
 * hold one lock in common.  The first release of any of them ends it, even in a related process that shares
 * it by FILELOCK_FORK_SHARE.
 *
 * Returns as filelock_new() does, and
 *   -EBADF    fd is not an open descriptor
 *   -EINVAL   also: a flag or option is about a path (UNLINK, MAKE_PARENTS, FOLLOW_SYMLINK,
 *             KEEP_ON_EXEC, file_mode), or the kind cannot lock a descriptor (SOFT, LEASE)
 */
FILELOCK_API int filelock_new_from_fd(struct filelock **lock, int fd, const struct filelock_options *options);

/*
 * Ends a handle.  If this process holds the lock, every level is released first, even if another thread
 * acquired it.  NULL is allowed.  No other thread may be using the handle or waiting on it.
 */
FILELOCK_API void filelock_free(struct filelock *lock);

/* ---- Acquire and release -------------------------------------------------------------------- */

/*
 * Acquires the lock.  Waits for at most `timeout_ms`: 0 or more, FILELOCK_TRY, FILELOCK_FOREVER or
 * FILELOCK_TIMEOUT_DEFAULT.  A handle that holds the lock acquires it again at once, one level deeper.
 * A handle that holds it exclusively may do so in either mode.  Each level needs its own release.
 *
 * The lock belongs to the thread that acquired it (with FILELOCK_ANY_THREAD: to the handle).  Acquires of
 * other threads on the handle wait as another process would.  A thread that ends while it holds a lock
 * releases it.  A timeout is never early, and late only by what the scheduler takes.
 *
 * A wait costs no processor time.  An acquire of an operating-system lock blocks in the calling thread if
 * the timeout is FILELOCK_FOREVER, without a cancel waitable and without FILELOCK_INTERRUPTIBLE.  Other
 * waits use a helper thread with all signals blocked.  It is kept for the next wait for about two seconds.
 * On Windows all waits are in the calling thread.
 *
 * A waiter for a soft lock watches the directory and the owner's process.  If a thread, descriptor or watch
 * that a wait needs cannot be had, the waiter tries again after 1 to 50 ms, with jitter.
 * A marker names no owner if its maker ended while writing it.  It is taken over at once if no process that
 * can have made it has it open.  If other hosts write to the file system, it is taken over after it has
 * stood unchanged for 2 s.
 * If the call saw the marker of a dead owner, it waits 10 ms more, whatever the timeout.  A Python program that
 * judged that marker too may move the new one away; then the call begins again.
 *
 * The holder of a LEASE renews it every third of lease_ms, by a thread of the library with all signals blocked.  A
 * contender takes it over at once if its owner is dead.  Else it does so when the marker has stood unchanged for
 * lease_ms on the contender's clock, even if the holder lives.  So a lease can be lost: see filelock_lost().
 *
 *   0           held; the depth went up by one
 *   -ETIMEDOUT  another holder had it until the time was up (with FILELOCK_TRY: at once)
 *   -ECANCELED  options.cancel became ready during the wait.  It is looked at only if there is a wait
 *   -EDEADLK    the caller would wait for itself: this thread holds the same file through another handle,
 *               and the timeout is FILELOCK_FOREVER.  Or the handle holds the lock shared and exclusive is
 *               asked for, which no release could ever grant: release first
 *   -EINTR      a signal handler ran during the wait; only with FILELOCK_INTERRUPTIBLE
 *   -ELOOP      the path is a symbolic link (see FILELOCK_FOLLOW_SYMLINK), or has too many
 *   -ENOENT     a parent directory does not exist (see FILELOCK_MAKE_PARENTS)
 *   -EACCES, -EPERM, -EROFS  the file may not be opened or created as this kind needs it
 *   -EEXIST     soft lock, lease: the file at the path is other data and no marker.  It is left as it is
 *   -EISDIR     the path is a directory, which this kind can lock only shared or not at all
 *   -ESTALE     after each of a thousand locks the path named another file, though the locked file had not
 *               been removed.  The file system's file identities cannot be relied on.  On a handle for a
 *               descriptor: the number now belongs to another open file.  On a handle whose lock was lost:
 *               release it first
 *   -EBADF      on a handle for a descriptor: it was closed
 *   -ENOTSUP    the file system does not implement this kind of lock
 *   -EINVAL     a bad argument, or FILELOCK_SHARED on a kind that has only exclusive locks.  Or the lock is held
 *               by a lease of another duration than this handle's; filelock_describe() tells both
 *   -EAGAIN     a lease needs a thread, and none can be had
 *   -EBUSY      the calling thread is in on_wait of this handle
 *   -EALREADY   the calling thread has an attempt under way on this handle: filelock_acquire_begin()
 *   -EOVERFLOW  the depth would exceed UINT_MAX
 *   -EILSEQ     the path is not UTF-8 (Windows)
 *   -ENAMETOOLONG, -ENOTDIR, -ENOSPC, -EMFILE, -ENFILE, -ENOMEM, -ENOLCK, -EIO, ...
 *               the error of the operating system
 *
 * After an error the handle is as it was before the call, and can be used.
 */
FILELOCK_API int filelock_acquire(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/*
 * Acquires without blocking, for programs with an event loop.  filelock_acquire_begin() takes the lock, or leaves an
 * attempt under way.  A thread of the library looks after all attempts of the process.  The waitable becomes ready when
 * the attempt is over, and filelock_acquire_finish() gives its result.  filelock_acquire_abort() ends the attempt at
 * any time.
 *
 * The attempt belongs to the handle, and any thread may end it.  After 0, the thread that called
 * filelock_acquire_finish() holds the lock (with FILELOCK_ANY_THREAD: the handle).  Until finish or abort nobody holds
 * it.  A lock that was granted keeps other processes out from that moment on, so finish soon.  With FILELOCK_ANY_THREAD,
 * an attempt gets one more level of a lock that the handle holds.  The level is no caller's until finish:
 * filelock_depth() does not count it, and filelock_release_all() leaves it.
 *
 * While an attempt is under way, an acquire of another thread on the handle waits for its end.  An acquire of the
 * thread that began it would wait for itself, and returns -EALREADY.  filelock_held() and the like answer that the
 * lock is not held.  filelock_free() aborts the attempt.  A forked child has no attempt under way; its parent's goes
 * on.  The attempts that are under way when the process exits are aborted.
 *
 * timeout_ms is as in filelock_acquire(): the attempt ends with -ETIMEDOUT when the time is up, and with -ECANCELED
 * when options.cancel becomes ready.  FILELOCK_INTERRUPTIBLE has no meaning: no signal ends an attempt.  on_wait is
 * called by filelock_acquire_begin().
 *
 * A lock of a provider, such as libfilelock-etcd, is tried by another thread, because its answer may take seconds: the
 * attempt is under way even if the lock is free.  Only with FILELOCK_TRY or on_wait does filelock_acquire_begin() wait
 * for the first answer.
 *
 * No thread waits for a soft lock.  For an operating-system lock, a thread blocks in the kernel for each file, mode and
 * range; attempts of several handles for the same queue up behind it.  It has ended when the attempts have.
 *
 *   0             the lock is held; there is nothing to finish
 *   -EINPROGRESS  the attempt is under way
 *   -EALREADY     an attempt is under way on this handle already
 *   -ETIMEDOUT    only with FILELOCK_TRY: another holder has it
 *   -EDEADLK      the handle holds the lock shared, and exclusive is asked for.  A lock that the thread holds through
 *                 another handle is no deadlock here, since the thread can release that while it waits
 *   -EAGAIN, -EMFILE, -ENFILE, -ENOMEM  no thread, descriptor or memory is to be had for the attempt
 *   -EBUSY        the calling thread is in on_wait of this handle
 *   else as filelock_acquire()
 */
FILELOCK_API int filelock_acquire_begin(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/*
 * Returns what to wait for while an attempt is under way.  POSIX: a descriptor, to be polled for reading.  Windows: the
 * HANDLE of an event.  It stays ready from the end of the attempt on.  The handle owns it, and closes it in
 * filelock_acquire_finish() and filelock_acquire_abort(): stop waiting for it before.  Never read from it.
 * FILELOCK_NO_WAITABLE: no attempt is under way, or lock is NULL.
 */
FILELOCK_API filelock_waitable filelock_acquire_waitable(const struct filelock *lock);

/*
 * Takes the result of the attempt, if it is over.
 *
 *   0             the calling thread (with FILELOCK_ANY_THREAD: the handle) holds the lock
 *   -EINPROGRESS  the attempt is still under way
 *   -ETIMEDOUT    another holder had the lock until the time was up
 *   -ECANCELED    options.cancel became ready
 *   -EINVAL       nothing is under way, or lock is NULL.  Or the cancel waitable is not open, and the attempt is over
 *   -EBUSY        the calling thread is in on_wait of this handle
 *   else as filelock_acquire(), and the attempt is over
 */
FILELOCK_API int filelock_acquire_finish(struct filelock *lock);

/*
 * Ends the attempt.  Nothing is held afterwards, also if the lock had been granted meanwhile.
 *
 *   0         the attempt has ended
 *   -EINVAL   nothing is under way, or lock is NULL
 *   -EBUSY    the calling thread is in on_wait of this handle
 */
FILELOCK_API int filelock_acquire_abort(struct filelock *lock);

/*
 * Releases one level of recursion.  The release of the last level lets go of the lock.
 *
 *   0         released
 *   -EPERM    the calling thread (with FILELOCK_ANY_THREAD: the handle) does not hold the lock
 *   -ESTALE   the lock was lost: the program closed its descriptor, and opened another file by that number.  Or
 *             a lease ended, was removed or was taken over.  The handle no longer holds the lock, and what others
 *             have put at the path is left as it is
 *   -EINVAL   lock is NULL
 *   -EIO, -EBADF, -ENOLCK, -EAGAIN, ...  the operating system refused the unlock.  The handle still holds the
 *             lock at the same depth, and can be released again
 *   -EBUSY    the calling thread is in on_wait of this handle.  Or this is the last level, and another thread
 *             is converting the lock
 *   -EMFILE, -ENFILE, -ENOMEM, -EACCES  the lock is shared by FILELOCK_FORK_SHARE, and its file names its holder:
 *             the process that goes on holding it could not be found.  The handle still holds the lock, as above
 */
FILELOCK_API int filelock_release(struct filelock *lock);

/* Releases every level.  Returns as filelock_release() does. */
FILELOCK_API int filelock_release_all(struct filelock *lock);

/*
 * Acquires the lock, calls body(arg) and releases the lock.  -EINVAL: body is NULL.  Returns the first of
 *   the acquire's error, and the body did not run
 *   the body's value if that is not 0
 *   the release's error
 *   0
 */
FILELOCK_API int filelock_with(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms,
                               int (*body)(void *arg), void *arg);

/*
 * Changes the mode of a held lock.  No other contender can get in between.  timeout_ms is as in filelock_acquire(), but
 * a conversion to exclusive needs an end.  A conversion to shared never waits.  After every error the lock is held as
 * it was.
 *
 *   0         held in that mode, also if it was already
 *   -EPERM    the calling thread (with FILELOCK_ANY_THREAD: the handle) does not hold the lock
 *   -ENOTSUP  this kind cannot convert this way without letting go: FLOCK and WIN32 to exclusive, SOFT, LEASE
 *   -EBUSY    to shared, at a depth over 1 or when a forked process may hold the lock too (FILELOCK_FORK_SHARE):
 *             an outer level, or that process, counts on being alone.  Or another thread is converting the lock.
 *             Or the calling thread is in on_wait of this handle
 *   -EINVAL   a bad argument.  Or to exclusive with FILELOCK_FOREVER: two holders that share a lock and convert it
 *             would wait for each other for ever
 *   -ETIMEDOUT, -ECANCELED, -EINTR  as filelock_acquire() returns them
 *   -EACCES, -EPERM, -EROFS, -ESTALE, -ENOENT, ...  to exclusive, for an OFD lock: the file could not be opened for
 *             writing by its path
 */
FILELOCK_API int filelock_convert(struct filelock *lock, enum filelock_mode mode, int64_t timeout_ms);

/*
 * Acquires all of several locks of any kinds, or none, within one timeout.  FILELOCK_TIMEOUT_DEFAULT is that of the
 * first handle.  Holds none of the locks while it waits for one: callers may name them in any order, and never wait
 * for each other for ever.  A level that the caller holds before the call stays held.
 *
 *   0         each is held, one level deeper
 *   -EINVAL   count is 0, a handle is NULL or stands twice, or an argument is bad as in filelock_acquire()
 *   -EDEADLK  two handles are for the same file
 *   -ENOMEM   out of memory
 *   else as filelock_acquire() returns for one of them
 */
FILELOCK_API int filelock_acquire_several(struct filelock *const *locks, size_t count, enum filelock_mode mode,
                                          int64_t timeout_ms);

/* Releases one level of each of them.  Returns the first error, or -EINVAL: locks is NULL, or count is 0. */
FILELOCK_API int filelock_release_several(struct filelock *const *locks, size_t count);

/* ---- Questions about a handle --------------------------------------------------------------- */

/* True (1) if the calling thread (with FILELOCK_ANY_THREAD: the handle) holds the lock.  0 if not, or for NULL. */
FILELOCK_API int filelock_held(const struct filelock *lock);

/* Returns how many releases let go of the lock: 0 where filelock_held() returns 0. */
FILELOCK_API unsigned filelock_depth(const struct filelock *lock);

/*
 * Tells whether a held lock still protects its path.
 *
 *   0         held, and the path names the locked file (on a descriptor: held)
 *   -ESTALE   held, but the path names another file or none, and the next contender will lock that.  Or the
 *             program closed the lock's descriptor, and opened another file by that number.  Or a lease was lost
 *   -EBADF    the program closed the lock's descriptor; never for a soft lock, which lasts without it
 *   -EPERM    not held, as filelock_release() means it
 *   -EINVAL   lock is NULL
 *   -EACCES, -EIO, -ENOMEM, ...  the path could not be looked up
 */
FILELOCK_API int filelock_check(struct filelock *lock);

/* Returns the path as given to filelock_new(), NULL for a handle on a descriptor.  The handle owns the string. */
FILELOCK_API const char *filelock_path(const struct filelock *lock);

/* Returns the kind that the handle got, never FILELOCK_KIND_DEFAULT.  -EINVAL if lock is NULL. */
FILELOCK_API int filelock_kind(const struct filelock *lock);

/*
 * POSIX: returns the locked descriptor where filelock_held() returns 1, and -1 elsewhere.  The handle owns the
 * descriptor.  It can be written only if the lock needs that: an exclusive OFD lock, FILELOCK_RECORD_OWNER where the
 * file allows it, a soft lock's marker.  To write into the file of another lock, open it by its path.
 */
FILELOCK_API int filelock_fd(const struct filelock *lock);

/*
 * Tells for how long the lock is certain to be the caller's if nothing renews it from now on, in milliseconds.
 *
 * A lease is the caller's for lease_ms from the beginning of its last renewal on, by a clock that counts the time in
 * which the system is suspended.
 *
 *   0         *ms is INT64_MAX for a kind that does not expire.  It is 0 once the lock is lost
 *   -EPERM    not held, as filelock_release() means it
 *   -EINVAL   an argument is NULL
 */
FILELOCK_API int filelock_remaining(const struct filelock *lock, int64_t *ms);

/*
 * Gives a number that is greater for every later grant of the same lock.  A holder sends it with each write, and the
 * resource refuses a number that is less than one it has seen (fencing).  Recursion and conversion do not change it.
 *
 *   0         *token is the number of this grant
 *   -ENOTSUP  the kind has no such number.  Of the kinds that the header names, none has one
 *   -EPERM    not held, as filelock_release() means it
 *   -EINVAL   an argument is NULL
 */
FILELOCK_API int filelock_token(const struct filelock *lock, uint64_t *token);

/*
 * Returns an object that is ready from the moment at which the loss of the held lock is known until the release.  It
 * can be waited for as `cancel` of the options can: on POSIX poll(2) reports the descriptor as readable.  The handle
 * owns it: it must be neither read nor closed, and is gone after the release.  FILELOCK_NO_WAITABLE: the kind's locks
 * cannot be lost, or the lock is not held, as filelock_release() means it, or lock is NULL.
 *
 * A lease is lost when its file is removed, when another file is at its path, or when it could not be renewed in time.
 * A program that closes the descriptor of a lease loses it.  Until a lock that was lost is released, filelock_held()
 * returns 1, filelock_depth() is as it was, and filelock_check() and filelock_acquire() return -ESTALE.
 * filelock_describe() with -ESTALE says why it was lost.  The last release returns -ESTALE, and the lock is not held.
 */
FILELOCK_API filelock_waitable filelock_lost(const struct filelock *lock);

/* The holder of a lock, as far as it is known.  Zero the struct, and set size. */
struct filelock_owner {
    size_t size;
    int64_t pid;      /* 0: not known */
    int alive;        /* 1 alive, 0 provably dead, -1 cannot be told from here */
    int local;        /* 1: on this host (and in this pid namespace), 0: elsewhere or not known */
    char host[256];   /* "" when not known */
    char command[64]; /* its name, unprintable bytes as '?'; "" when not known */
};

/*
 * Asks which process holds the lock now, this process included.  If holders share the lock, names one of them.
 * The answer is a snapshot: it may have changed when it arrives.  Takes and disturbs no lock.  On Linux
 * operating-system locks are looked up in /proc/locks (proc(5)), and in the record of FILELOCK_RECORD_OWNER.
 * On Windows only the record names a holder.
 *
 *   0         *owner is filled in
 *   -ENOENT   no process holds it
 *   -ENOTSUP  it cannot be known here: no /proc, or holders in other pid namespaces may be invisible
 *   -EINVAL   an argument is NULL, or owner->size is that of no version of the struct this library knows
 *   -ELOOP    the path is a symbolic link, and FILELOCK_FOLLOW_SYMLINK is not set
 *   -EEXIST   soft lock: the file at the path is no marker
 *   -EACCES, -EIO, -ENOMEM, ...  the path could not be looked up
 */
FILELOCK_API int filelock_owner(const struct filelock *lock, struct filelock_owner *owner);

/*
 * Removes the marker of a soft lock or lease, even if its owner is alive.  For operators: the owner of a soft lock is
 * not told, and goes on as if it held the lock.
 *
 *   0         the marker is gone, even if another process removed it
 *   -ENOENT   there was none
 *   -EEXIST   the file at the path is no marker; it is left as it is
 *   -ENOTSUP  the kind has no marker: an operating-system lock ends with its holder
 *   -EINVAL   lock is NULL
 *   -EACCES, -EPERM, -EROFS, -EISDIR, -ENOMEM, ...  the marker could not be removed, and stays
 */
FILELOCK_API int filelock_break(struct filelock *lock);

/* ---- Words ---------------------------------------------------------------------------------- */

/*
 * Writes one sentence about `error`, without a full stop or newline.  `error` is what the last function called with
 * `lock` returned.  Writes as snprintf(3) does: at most `size` bytes with the terminating NUL.  Returns the length of
 * the whole sentence.  It says what was asked, the path, why it failed, and the holder of the lock where that is known:
 *
 *   cannot acquire /run/x.lock within 5 s: held by pid 4711 (backup)
 *
 * If `lock` is NULL, only the reason is written.  `text` may be NULL if `size` is 0.
 */
FILELOCK_API size_t filelock_describe(const struct filelock *lock, int error, char *text, size_t size);

/* Returns what an error of this library means, in a few words.  Static or thread-local; not to be freed. */
FILELOCK_API const char *filelock_strerror(int error);

/* ---- Questions about the build -------------------------------------------------------------- */

/* True (1) if this build has the kind, else 0. */
FILELOCK_API int filelock_supported(int kind);

/*
 * Returns "flock", "ofd", "win32", "soft", "lease" or "default"; the name of a provider for the number of its kind
 * (filelock-provider.h); NULL for a number that is no kind.
 */
FILELOCK_API const char *filelock_kind_name(int kind);

/* Returns the version of the linked library, such as "0.1.1".  FILELOCK_VERSION_* is that of the header. */
FILELOCK_API const char *filelock_version(void);

/* ---- Scopes --------------------------------------------------------------------------------- */

/* Release or free for FILELOCK_AUTO_RELEASE and FILELOCK_AUTO_FREE, which call them.  Errors are lost here. */
FILELOCK_API void filelock_auto_release(struct filelock **lock);
FILELOCK_API void filelock_auto_free(struct filelock **lock);

/*
 * Marks a `struct filelock *` variable for what happens when it leaves its scope, on compilers that can do it.
 * FILELOCK_AUTO_RELEASE releases the lock by one level, if the lock is held and the pointer is not NULL.
 * FILELOCK_AUTO_FREE frees the handle:
 *
 *   FILELOCK_AUTO_FREE struct filelock *lock = NULL;
 *
 * Set a FILELOCK_AUTO_RELEASE variable only after the acquire has succeeded.  If it were set after a failed acquire,
 * a level that the caller already holds would be released.
 *
 * Elsewhere the macros are not defined: use filelock_with().
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
