/* SPDX-License-Identifier: MIT
 *
 * filelock-provider.h - kinds of lock that another library adds to libfilelock
 *
 * A provider is a library that can lock something by name, such as an entry of a database or of a cluster.  It fills a
 * constant table of functions, and offers a function of its own that gives the table to filelock_new_from_provider().
 * The handle is like any other: libfilelock does recursion, threads, timeouts, cancelling and forks.
 *
 * libfilelock calls the functions of a table so that for each state only a single thread is in open(), close(),
 * try_acquire(), acquire(), convert(), release(), drop() or forked() at a time.  Any thread may call the others
 * meanwhile.  A lock is never acquired twice through one state: recursion stays in the handle.
 * The functions return 0 or a negative errno value.
 */
#ifndef FILELOCK_PROVIDER_H
#define FILELOCK_PROVIDER_H

#include <filelock.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the table below.  A newer table only has more members, at its end. */
#define FILELOCK_PROVIDER_VERSION 1u

/* Abilities, or-ed. */
#define FILELOCK_PROVIDER_SHARES 1u        /* FILELOCK_SHARED */
#define FILELOCK_PROVIDER_EXPIRES 2u       /* options.lease_ms */
#define FILELOCK_PROVIDER_OUTLIVES 4u      /* a lock that is held at the end of the process would stay: release it */
#define FILELOCK_PROVIDER_CONVERTS_DOWN 8u /* filelock_convert() to FILELOCK_SHARED */
#define FILELOCK_PROVIDER_CONVERTS_UP 16u  /* filelock_convert() to FILELOCK_EXCLUSIVE */

/* What a new handle is to lock. */
struct filelock_provider_lock {
    size_t size;      /* of this struct */
    const char *name; /* as given to filelock_new_from_provider(); gone when open() returns */
    int64_t lease_ms; /* options.lease_ms; 0: the provider's default */
    void *arg;        /* as given to filelock_new_from_provider() */
};

/* The limits of a wait.  Opaque. */
struct filelock_provider_limits;

/* A member that may be NULL says so. */
struct filelock_provider {
    size_t size;        /* of this struct */
    unsigned version;   /* FILELOCK_PROVIDER_VERSION */
    const char *name;   /* what filelock_kind_name() returns */
    unsigned abilities; /* FILELOCK_PROVIDER_*; an unknown bit is -EINVAL */

    /* Makes the state of a new handle.  Acquires nothing. */
    int (*open)(void **state, const struct filelock_provider_lock *lock);

    /* Ends a state that holds no lock. */
    void (*close)(void *state);

    /*
     * Acquires without waiting for another holder.
     *   -ETIMEDOUT      another holder has the lock
     *   -EHOSTUNREACH   what keeps the lock does not answer: if the caller may wait, acquire() is called next
     * Nothing is left behind after an error.  After filelock_acquire_begin(), a thread of libfilelock calls this again
     * and again, on a stack that may be small, and filelock_acquire_abort() waits until it has returned.
     */
    int (*try_acquire)(void *state, enum filelock_mode mode);

    /*
     * Acquires within limits.  Waits by filelock_provider_wait() alone, and returns its error.  Nothing is left behind
     * after an error.
     */
    int (*acquire)(void *state, enum filelock_mode mode, const struct filelock_provider_limits *limits);

    /* Changes the mode of the held lock, with no moment in which it is not held.  NULL: with no CONVERTS ability. */
    int (*convert)(void *state, enum filelock_mode mode, const struct filelock_provider_limits *limits);

    /*
     * Releases.  -ESTALE: the lock was lost before, and is over.  After any other error the lock is held as before, and
     * can be released again.
     */
    int (*release)(void *state);

    /* Gives up a lock whose release has failed.  The state can be used again. */
    void (*drop)(void *state);

    /*
     * Called in a forked child: makes the state one that holds nothing, and touches nothing that the parent uses.  May
     * do only what is async-signal-safe.
     */
    void (*forked)(void *state);

    /* Returns 0 if the held lock still protects what it is for, or -ESTALE. */
    int (*check)(void *state);

    /*
     * Writes a text that is equal for two states if they lock the same thing.  Does not block.  -ENOENT: that is not
     * known yet.  NULL: the name alone tells.
     */
    int (*identify)(void *state, char *text, size_t size);

    /* Answers filelock_owner(): size, alive (-1) and zeros are filled in.  NULL: it is never known. */
    int (*owner)(void *state, struct filelock_owner *owner);

    /* Does as filelock_break() does.  NULL: -ENOTSUP. */
    int (*break_lock)(void *state);

    /*
     * Answer filelock_remaining(), filelock_lost() and filelock_token() for a held lock, and never block.  NULL: the
     * locks cannot be lost (both remaining and lost), or have no tokens.
     */
    int64_t (*remaining)(void *state); /* ms; 0: the lock is lost */
    filelock_waitable (*lost)(void *state);
    int (*token)(void *state, uint64_t *token);

    /*
     * Writes a few words about why the last call returned this error, for filelock_describe().  Any thread may call
     * this.  Returns 1, or 0 if the provider knows no more than the error tells.  NULL: it never does.
     */
    int (*explain)(void *state, int error, char *text, size_t size);
};

/*
 * Makes a handle for the lock that the provider knows by this name.  The table must stay as it is until the process
 * ends: a library that has one is not unloaded.  options->kind is FILELOCK_KIND_DEFAULT.  Of the flags, only
 * FILELOCK_ANY_THREAD and FILELOCK_INTERRUPTIBLE have a meaning.  filelock_path() returns the name.  filelock_kind()
 * returns a number that the table gets with its first handle, and that filelock_new() does not accept.
 *
 *   0         *lock is a new handle, which the caller must give to filelock_free()
 *   -EINVAL   lock, name or provider is NULL, or name is empty.  Or an option has a value that its declaration does
 *             not allow, or another flag is set, or file_mode or a range is.  Or lease_ms is set, and the provider's
 *             locks do not expire.  Or the table lacks a function, or has an ability that this library does not know
 *   -ENOTSUP  the table is of a version that this library does not know
 *   -ENOMEM, -EAGAIN  as filelock_new() returns them
 *   else what open() returned
 */
FILELOCK_API int filelock_new_from_provider(struct filelock **lock, const char *name,
                                            const struct filelock_options *options,
                                            const struct filelock_provider *provider, void *arg);

/*
 * Waits within limits, for at most at_most_ms (FILELOCK_FOREVER: no more limit) until `ready` is ready, in the meaning
 * of filelock_waitable.  FILELOCK_NO_WAITABLE: for the time alone.  Only in acquire() and convert().
 *
 *   0                               it is ready, or at_most_ms are over
 *   -ETIMEDOUT, -ECANCELED, -EINTR  a limit was reached
 *   -EINVAL                         the caller's cancel waitable is not open
 */
FILELOCK_API int filelock_provider_wait(const struct filelock_provider_limits *limits, filelock_waitable ready,
                                        int64_t at_most_ms);

/* Returns the milliseconds that are left of the wait, 0 or more, or FILELOCK_FOREVER. */
FILELOCK_API int64_t filelock_provider_left(const struct filelock_provider_limits *limits);

#ifdef __cplusplus
}
#endif

#endif
