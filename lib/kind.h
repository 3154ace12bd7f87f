/* SPDX-License-Identifier: MIT
 *
 * A kind of lock, as the handle uses it: a row in a table.  A new kind is a source file that defines flk_kind_NAME, and
 * a FILELOCK_KIND line in configure.ac.  doc/architecture.md names what else a build needs for it.
 */
#ifndef FLK_KIND_H
#define FLK_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <filelock.h>

#include "outcome.h"
#include "system/file.h"
#include "wait/limits.h"
#include "wait/lookout.h"

struct kind;

/* What a handle locks.  It never changes. */
struct target {
    const struct kind *kind;
    const char *path; /* NULL: the descriptor is locked */
    int descriptor;   /* the caller's, or -1 */
    int fd;           /* the number of the descriptor's file for system/file.h, or -1 */
    unsigned flags;
    unsigned file_mode;
    struct range range;
    int64_t lease_ms; /* for kinds that expire, else 0 */
    void *opened;     /* what a provider has opened for this handle, or NULL */
};

/* True if the last component of the target's path may be a symbolic link. */
static inline bool flk_target_follows(const struct target *target)
{
    return (target->flags & FILELOCK_FOLLOW_SYMLINK) != 0;
}

/*
 * Identifies what a handle locks, by bytes that its kind chooses.  Two handles of a kind lock the same thing if their
 * keys are equal.
 */
struct lock_key {
    size_t size;
    unsigned char bytes[40];
};

static inline bool flk_key_same(const struct lock_key *a, const struct lock_key *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* The most bytes that a kind may keep in a handle. */
#define FLK_MAX_STATE 512

/* The size of a state.  Does not compile if that is larger than FLK_MAX_STATE. */
#define FLK_STATE_SIZE(type) (sizeof(type) + 0 * sizeof(char[sizeof(type) <= FLK_MAX_STATE ? 1 : -1]))

enum ability {
    CAN_SHARE = 1,           /* FILELOCK_SHARED */
    CAN_RANGE = 2,           /* range_start, range_length */
    CAN_LOCK_DESCRIPTOR = 4, /* filelock_new_from_fd() */
    OUTLIVES_PROCESS = 8,    /* a lock that is still held when the process exits stays behind */
    EXPIRES = 16,            /* lease_ms */
    CAN_CONVERT_DOWN = 32,   /* filelock_convert() to FILELOCK_SHARED */
    CAN_CONVERT_UP = 64,     /* filelock_convert() to FILELOCK_EXCLUSIVE */
    NAMES_TAKER = 128,       /* owner() may name a process that took the lock, left it to another process, and ended */
    ANSWERS_LATE = 256       /* try() may take seconds, and look() does not: what keeps the lock is elsewhere */
};

/*
 * For each state, only a single thread of the process calls these functions at a time, unless a comment says otherwise.
 * The functions return 0 or a negative errno value.
 */
struct kind {
    int id; /* enum filelock_kind */
    const char *name;
    unsigned abilities;           /* enum ability */
    int64_t default_range_length; /* the meaning of a range_length of 0 */
    int64_t default_lease_ms;     /* the meaning of a lease_ms of 0; 0: the kind does not expire */
    size_t state_size;            /* the bytes that the kind keeps in each handle */

    /* Prepares the state of a new handle; touches no file.  After an error there is no handle. */
    int (*init)(const struct target *target, void *state);

    /* Ends what the target has, after close(), when the handle ends.  NULL: there is nothing. */
    void (*end)(const struct target *target);

    /*
     * The lock is not held before.  Locks without waiting.  waits: the caller calls look() next, so that a lock that
     * looks held need not be examined.  Returns 0 or an error, CONTENDED if another holder has the lock, or UNREACHED.
     */
    enum outcome (*try)(const struct target *target, void *state, enum filelock_mode mode, bool waits);

    /*
     * True if a glance, which costs much less than try(), tells that the lock is held: then an attempt goes on to
     * look().  NULL: try() costs as little.
     */
    bool (*looks_held)(const struct target *target);

    /*
     * Looks whether the lock can be taken, for a thread or an attempt that waits.  Returns as try() does; CONTENDED or
     * UNREACHED: the lookout tells when to look again.  NULL: try() is called again after naps.
     */
    enum outcome (*look)(const struct target *target, void *state, enum filelock_mode mode, struct lookout *lookout);

    /*
     * Sees to it that nothing is held, and gives back what looks keep, when looks were ended or have failed.  A call may
     * have taken the lock.  A last look (lookout->last) that finds the lock held keeps nothing.
     */
    void (*withdraw)(const struct target *target, void *state);

    /*
     * Changes the mode of the held lock within limits, with no moment in which it is not held.  Returns 0, -ETIMEDOUT,
     * -ECANCELED, -EINTR or an error.  After an error the lock is held as before.  NULL: the kind cannot do that.
     */
    int (*convert)(const struct target *target, void *state, enum filelock_mode mode, const struct limits *limits);

    /*
     * Unlocks.  After an error the lock is held as before.  LOST: it was lost before, and is not held; for example, the
     * program has closed the descriptor, and opened another file by that number.
     */
    enum outcome (*release)(const struct target *target, void *state, enum filelock_mode mode);

    /* The lock is not held, or its release has failed.  Gives back what the state still has. */
    void (*close)(const struct target *target, void *state);

    /*
     * Called in a forked child, with the guard taken.  May do only what is async-signal-safe.  Not called for a handle
     * at rest that has nothing open: see has_open().  holds: the parent holds the lock and shares it
     * (FILELOCK_FORK_SHARE).  Otherwise the child must be left with nothing that keeps the parent's lock alive or could
     * unlock it, and has_open() must be false.
     */
    void (*after_fork)(const struct target *target, void *state, bool holds);

    /* True if a state at rest has a file open, or anything else that after_fork() gives up. */
    bool (*has_open)(const void *state);

    /* Called in the parent before a fork that shares the lock.  NULL: init() refuses FILELOCK_FORK_SHARE. */
    void (*before_fork)(const struct target *target, void *state);

    /* Finds the key of what the target names now.  Returns 0 or -errno.  Any thread may call this. */
    int (*target_key)(const struct target *target, struct lock_key *key);

    /*
     * Gives the key of what the state has locked.  If the lock is held, any thread that holds the handle's mutex may
     * call this.
     */
    void (*locked_key)(const void *state, struct lock_key *key);

    /*
     * Both answer a question about a held lock, and any thread may call them.  state is a copy of the handle's state:
     * what it points to may be gone.  descriptor() returns the descriptor by which the program may use the locked file,
     * or -1.  check() returns as filelock_check() does.
     */
    int (*descriptor)(const void *state);
    int (*check)(const struct target *target, const void *state);

    /*
     * Returns the ns for which the held lock is certain to be ours if nothing renews it; 0: it is lost.  Never blocks.
     * state may be a copy, as above.  Any thread that holds the handle's mutex may call this, and any thread with a copy.
     * NULL: the kind's locks last until they are released.
     */
    int64_t (*remaining)(const void *state);

    /* Returns what filelock_lost() returns for the held lock.  Never blocks.  Called as remaining() is; NULL with it. */
    filelock_waitable (*lost)(const void *state);

    /* Answers filelock_token() for the held lock, and never blocks.  Called as remaining() is.  NULL: no tokens. */
    int (*token)(const void *state, uint64_t *token);

    /* Answers filelock_owner().  Caller has zeroed owner, except its size.  Any thread may call this. */
    int (*owner)(const struct target *target, struct filelock_owner *owner);

    /*
     * Returns why the lock counts as held although owner() knows no process.  NULL: no more is known.  The function may
     * be NULL as well, with the same meaning.
     */
    const char *(*unnamed)(const struct target *target);

    /*
     * Writes why the last call returned this error, if the kind knows more than the error tells.  state is a copy, as
     * above, of a lock that need not be held.  False: no more is known.  NULL has the same meaning.
     */
    bool (*explain)(const struct target *target, const void *state, int error, char *text, size_t size);

    /* Does as filelock_break() does.  NULL: filelock_break() returns -ENOTSUP.  Any thread may call this. */
    int (*break_marker)(const struct target *target);
};

/* Returns the kind of this enum filelock_kind, also for DEFAULT.  NULL: it is not linked. */
const struct kind *flk_kind_find(int id);

#endif
